"""Makes a sheet of an inbox, or adds what has come since to one; labels that are given stay."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.inbox.gather import Inbox, WaitingClip, waiting_clips
from pipelines.inbox.look import ClipLook, look
from pipelines.inbox.page import write_page
from pipelines.inbox.sheet import CLIPS, LABELS, SHEET, STRIPS, Sheet, SheetClip, read_labels, write_labels
from reelflow.commandline import printable
from reelflow.contracts import Rejected
from reelflow.errors import ClipError, DataError, disk_errors
from reelflow.files import atomic, locked, write_bytes, write_text
from reelflow.progress import track
from reelflow.workers.processes import in_processes

CLIP_TIMEOUT_S = 60
LOCK = ".lock"
MOST_TEXT = 200


@dataclass(frozen=True)
class BuiltSheet:
    """What has come of it.

    Attributes:
        sheet: all of it now.
        added: clips that are new.
        rejected: what was left out this time.
        left: clips that are still in the inbox alone.
        labelled: clips that have a label.
    """

    sheet: Sheet
    added: int
    rejected: tuple[Rejected, ...]
    left: int
    labelled: int


def build_sheet(inbox: Inbox, folder: Path, labels: tuple[str, ...], most: int) -> BuiltSheet:
    """Bring clips of an inbox into a sheet, and write its files.

    Args:
        inbox: where devices' clips are.
        folder: of the sheet.
        labels: that people choose from.
        most: clips to add at most.

    Raises:
        DataError: the folder has other files, or labels that were given are wrong now.
        StorageError: the store or the disk refuses.
    """
    with disk_errors(folder):
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
    if not is_new and not (folder / SHEET).is_file() and any(one.name != LOCK for one in folder.iterdir()):
        raise DataError(f"{folder} holds files and is no sheet: name a new folder")
    with locked(folder / LOCK), tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
        before = _begun(folder, labels)
        given = read_labels(folder / LABELS, before) if (folder / LABELS).exists() else {}
        known = frozenset([*(clip.identity for clip in before.clips), *before.passed])
        found, rejected = waiting_clips(inbox, known, Path(scratch))
        sheet = before.model_copy(
            update={
                "rejected": (*before.rejected, *(one for one, _ in rejected)),
                "passed": (*before.passed, *(identity for _, identity in rejected)),
            }
        )
        for add in _looked_at(inbox, found[:most], Path(scratch)):
            sheet = add.to(sheet, folder)
            write_text(folder / SHEET, sheet.to_json())
        write_text(folder / SHEET, sheet.to_json())
        write_labels(folder, sheet, given)
        write_page(folder, sheet, given)
        return BuiltSheet(
            sheet=sheet,
            added=len(sheet.clips) - len(before.clips),
            rejected=sheet.rejected[len(before.rejected) :],
            left=max(0, len(found) - most),
            labelled=len(given),
        )


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

    def to(self, sheet: Sheet, folder: Path) -> Sheet:
        """The sheet with this clip, whose files are written; or with the reason why it is left out."""
        one, outcome = self.waiting, self.outcome
        passed = (*sheet.passed, one.identity)
        if isinstance(outcome, ClipError):
            rejected = (*sheet.rejected, Rejected(path=one.origin, reason=str(outcome)))
            return sheet.model_copy(update={"rejected": rejected, "passed": passed})
        if any(clip.sha256 == outcome.sha256 for clip in sheet.clips):
            return sheet.model_copy(update={"passed": passed})
        clip = _sheet_clip(one, outcome, {clip.name for clip in sheet.clips})
        write_bytes(folder / STRIPS / f"{clip.name}.jpg", outcome.strip)
        with atomic(folder / CLIPS / clip.name) as partial:
            self.path.replace(partial)
        return sheet.model_copy(update={"clips": (*sheet.clips, clip)})


def _looked_at(inbox: Inbox, chosen: Sequence[WaitingClip], scratch: Path) -> Iterator[_Addition]:
    """The chosen clips, copied to this machine and decoded."""
    fetched: list[tuple[WaitingClip, Path]] = []

    def paths() -> Iterator[Path]:
        for number, one in enumerate(chosen):
            path = scratch / f"{number}{PurePosixPath(one.safe_name).suffix}"
            try:
                inbox.get(one.origin, path)
            except ClipError:
                path = scratch / "gone"
            fetched.append((one, path))
            yield path

    with closing(in_processes(look, paths(), timeout_s=CLIP_TIMEOUT_S)) as outcomes:
        for number, outcome in enumerate(track(outcomes, len(chosen), "clips")):
            waiting, path = fetched[number]
            yield _Addition(waiting, path, outcome)
            path.unlink(missing_ok=True)


def _sheet_clip(one: WaitingClip, seen: ClipLook, names: set[str]) -> SheetClip:
    note = one.note
    name = one.safe_name
    if name in names:
        stem, dot, suffix = name.rpartition(".")
        name = f"{stem}-{seen.sha256[:12]}{dot}{suffix}"
    return SheetClip(
        name=name,
        origin=one.origin,
        identity=one.identity,
        sha256=seen.sha256,
        duration_s=round(seen.duration_s, 3),
        camera=_one_line(one.camera),
        began_at=_one_line(note.began_at) if note else "",
        best_guess=_one_line(note.best_guess) if note else "",
        score=note.score if note else None,
    )


def _one_line(text: str) -> str:
    """What a device wrote, as people can read it."""
    return " ".join(printable(text[:MOST_TEXT]).split())
