"""Makes a sheet of an inbox, or adds new clips to an existing sheet; given labels stay."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pipelines.inbox.clips import KnownClips
from pipelines.inbox.gather import Inbox, WaitingClip, waiting_clips
from pipelines.inbox.look import ClipLook, look
from pipelines.inbox.page import write_page
from pipelines.inbox.sheet import (
    CLIPS,
    LABELS,
    SHEET,
    STRIPS,
    Sheet,
    SheetClip,
    free_name,
    read_labels,
    write_labels,
)
from reelflow.contracts import Rejected
from reelflow.errors import ClipError, DataError, disk_errors
from reelflow.files import atomic, locked, write_bytes, write_text
from reelflow.progress import track
from reelflow.workers.processes import in_processes

CLIP_TIMEOUT_S = 60
LOCK, SCRATCH = ".sheet.lock", ".new-"


@dataclass(frozen=True)
class BuiltSheet:
    """What has come of it.

    Attributes:
        sheet: all of it now.
        added: clips that are new.
        rejected: what was left out this time.
        notes: of devices, that cannot be used.
        known: clips that are among those of training, this time.
        left: clips that are still in the inbox alone.
        labelled: clips that have a label.
    """

    sheet: Sheet
    added: int
    rejected: tuple[Rejected, ...]
    notes: tuple[Rejected, ...]
    known: int
    left: int
    labelled: int


def build_sheet(
    inbox: Inbox, folder: Path, labels: tuple[str, ...], most: int, clips: Path | None = None
) -> BuiltSheet:
    """Bring clips of an inbox into a sheet, and write its files.

    Args:
        inbox: where devices' clips are.
        folder: of the sheet.
        labels: that people choose from.
        most: clips to add at most.
        clips: those of training; what is among them needs no label.

    Raises:
        DataError: the folder has other files, or labels that were given are wrong now.
        StorageError: the store or the disk refuses.
    """
    _make_folder(folder)
    with locked(folder / LOCK, f"another call for {folder}"), _scratch(folder) as scratch:
        before = _begun(folder, labels)
        given = read_labels(folder / LABELS, before) if (folder / LABELS).exists() else {}
        seen = frozenset([*(clip.identity for clip in before.clips), *before.passed])
        waiting = waiting_clips(inbox, seen, scratch)
        growth = _Growth(folder, before, KnownClips(clips) if clips else None)
        for one, identity in waiting.left:
            growth.leave_out(one, identity)
        for add in _looked_at(inbox, waiting.clips[:most], scratch):
            growth.take(add)
            write_text(folder / SHEET, growth.sheet.to_json())
        write_text(folder / SHEET, growth.sheet.to_json())
        write_labels(folder, growth.sheet, given)
        write_page(folder, growth.sheet, given)
        return BuiltSheet(
            sheet=growth.sheet,
            added=len(growth.sheet.clips) - len(before.clips),
            rejected=tuple(growth.rejected),
            notes=tuple(waiting.notes),
            known=growth.known,
            left=max(0, len(waiting.clips) - most),
            labelled=len(given),
        )


def _make_folder(folder: Path) -> None:
    """The lock is the first file of a sheet: another call may be writing the rest of them now."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        names = {one.name for one in folder.iterdir()}
        if names and not names & {LOCK, SHEET}:
            raise DataError(f"{folder} has files, but is not a sheet: name a new folder")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder on the disk of the sheet; those of killed calls go."""
    for left in folder.glob(f"{SCRATCH}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=SCRATCH) as scratch:
        yield Path(scratch)


def _begun(folder: Path, labels: tuple[str, ...]) -> Sheet:
    """The sheet of a folder, which is one from now on."""
    if (folder / SHEET).is_file():
        return Sheet.of(folder).model_copy(update={"labels": labels})
    sheet = Sheet(labels=labels)
    write_text(folder / SHEET, sheet.to_json())
    return sheet


@dataclass(frozen=True)
class _Addition:
    """A clip of the inbox that was looked at."""

    waiting: WaitingClip
    path: Path
    outcome: ClipLook | ClipError


@dataclass
class _Growth:
    """A sheet that grows.

    Attributes:
        clips: of training.
        rejected: what was left out.
        known: clips that are among those of training.
    """

    folder: Path
    sheet: Sheet
    clips: KnownClips | None
    rejected: list[Rejected] = field(default_factory=list)
    known: int = 0

    def leave_out(self, one: Rejected, identity: str) -> None:
        """Leave something out, for good."""
        self.rejected.append(one)
        self._pass(identity, rejected=(*self.sheet.rejected, one))

    def take(self, add: _Addition) -> None:
        """Add a clip and write its files, or say why it is left out."""
        one, outcome = add.waiting, add.outcome
        if isinstance(outcome, ClipError):
            reason = Rejected(path=one.origin, reason=str(outcome))
            if outcome.may_pass:
                self.rejected.append(reason)
            else:
                self.leave_out(reason, one.identity)
        elif any(clip.sha256 == outcome.sha256 for clip in self.sheet.clips):
            self._pass(one.identity)
        elif self.clips and self.clips.same_as(outcome.sha256, add.path.stat().st_size):
            self.known += 1
            self._pass(one.identity)
        else:
            clip = _sheet_clip(one, outcome, {clip.name for clip in self.sheet.clips})
            write_bytes(self.folder / STRIPS / f"{clip.name}.jpg", outcome.strip)
            with atomic(self.folder / CLIPS / clip.name) as partial:
                add.path.replace(partial)
            self._pass(one.identity, clips=(*self.sheet.clips, clip))

    def _pass(self, identity: str, **changes: object) -> None:
        passed = (*self.sheet.passed, identity)
        self.sheet = self.sheet.model_copy(update={"passed": passed, **changes})


def _looked_at(inbox: Inbox, chosen: Sequence[WaitingClip], scratch: Path) -> Iterator[_Addition]:
    """The chosen clips, copied to this machine and decoded."""
    fetched: list[tuple[WaitingClip, Path, ClipError | None]] = []

    def paths() -> Iterator[Path]:
        for number, one in enumerate(chosen):
            path = scratch / f"{number}{PurePosixPath(one.safe_name).suffix}"
            failed = None
            try:
                inbox.get(one.origin, path)
            except ClipError as error:
                failed = error
                path.unlink(missing_ok=True)
            fetched.append((one, path, failed))
            yield path

    with closing(in_processes(look, paths(), timeout_s=CLIP_TIMEOUT_S)) as outcomes:
        for number, outcome in enumerate(track(outcomes, len(chosen), "clips")):
            waiting, path, failed = fetched[number]
            yield _Addition(waiting, path, failed or outcome)
            path.unlink(missing_ok=True)


def _sheet_clip(one: WaitingClip, seen: ClipLook, names: set[str]) -> SheetClip:
    note = one.note
    return SheetClip(
        name=free_name(one.safe_name, seen.sha256, names.__contains__),
        origin=one.origin,
        identity=one.identity,
        sha256=seen.sha256,
        duration_s=round(seen.duration_s, 3),
        camera=one.camera,
        began_at=note.began_at if note else "",
        best_guess=note.best_guess if note else "",
        score=note.score if note else None,
    )
