"""Takes labelled clips of a sheet into the folder of clips, `CLIPS/LABEL/NAME`."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.dataset.source.groups_csv import DELIMITERS, Row, read_groups
from components.dataset.source.listing import GROUPS
from components.dataset.source.naming import groups_by_name
from pipelines.inbox.sheet import CLIPS, SPLITS, UNUSABLE, Sheet, SheetClip
from reelflow.errors import DataError, disk_errors
from reelflow.files import atomic, files_below, sha256_file, write_text
from reelflow.progress import track

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class TakenClips:
    """What has come of it.

    Attributes:
        added: clips that are new in the folder.
        there: clips whose content it has already, with the same label.
        unlabelled: clips of the sheet without a label.
        unusable: clips that people have called so.
    """

    added: int
    there: int
    unlabelled: int
    unusable: int


@dataclass(frozen=True)
class _Move:
    """A clip of a sheet, and where it comes to."""

    clip: SheetClip
    target: str
    is_there: bool


def take_clips(folder: Path, sheet: Sheet, given: Mapping[str, str], clips: Path) -> TakenClips:
    """Copy labelled clips of a sheet. Nothing is copied if one of them cannot be.

    Args:
        folder: of the sheet.
        sheet: its clips.
        given: labels, by the name of the clip.
        clips: the folder of clips, with a folder per class.

    Raises:
        DataError: a clip has been altered, or is among the clips with another label.
        StorageError: the disk refuses.
    """
    if not clips.is_dir():
        raise DataError(f"{clips} is not a folder: name the folder of clips, or make it")
    if parts := [name for name in SPLITS if (clips / name).is_dir()]:
        raise DataError(
            f"{clips} holds {', '.join(parts)}: name the one that takes the clips, {clips / 'train'}"
        )
    chosen = [(clip, given[clip.name]) for clip in sheet.clips if given.get(clip.name, UNUSABLE) != UNUSABLE]
    for clip, _ in chosen:
        _check_content(folder / CLIPS / clip.name, clip)
    moves = list(_moves(folder, chosen, clips))
    for move in track(moves, len(moves), "clips"):
        if not move.is_there:
            _copy(folder / CLIPS / move.clip.name, clips / move.target)
    _list_groups(clips, [move.target for move in moves])
    there = sum(move.is_there for move in moves)
    unusable = sum(label == UNUSABLE for label in given.values())
    return TakenClips(len(moves) - there, there, len(sheet.clips) - len(given), unusable)


def _check_content(path: Path, clip: SheetClip) -> None:
    with disk_errors(path):
        if not path.is_file() or path.is_symlink() or sha256_file(path) != clip.sha256:
            raise DataError(
                f"{path} is not the clip that people saw: it was altered or removed; make a new sheet"
            )


def _moves(folder: Path, chosen: Sequence[tuple[SheetClip, str]], clips: Path) -> Iterator[_Move]:
    """Where each clip comes to.

    Raises:
        DataError: a clip is there with another label.
    """
    there = _contents(clips, {(folder / CLIPS / clip.name).stat().st_size for clip, _ in chosen})
    labels = {row.path: row.label for row in _listed(clips)}
    wrong = []
    for clip, label in chosen:
        found = there.get(clip.sha256, [])
        if same := [path for path in found if labels.get(path, path.split("/")[0]) == label]:
            yield _Move(clip, same[0], is_there=True)
        elif found:
            wrong.append(f"{clip.name}: labelled {label}, and the same clip is {found[0]}")
        else:
            yield _Move(clip, _free_target(clips, label, clip), is_there=False)
    if wrong:
        raise DataError(f"{len(wrong)} clip(s) have two labels, the first {wrong[0]}: decide on one of them")


def _contents(clips: Path, sizes: set[int]) -> dict[str, list[str]]:
    """Paths of the files of these sizes below a folder, by the sha256 of their content."""
    found: dict[str, list[str]] = {}
    for path in files_below(clips):
        with disk_errors(path):
            if path.is_file() and path.stat().st_size in sizes:
                found.setdefault(sha256_file(path), []).append(path.relative_to(clips).as_posix())
    return found


def _free_target(clips: Path, label: str, clip: SheetClip) -> str:
    stem, dot, suffix = clip.name.rpartition(".")
    taken = (clips / label / clip.name).exists()
    return f"{label}/{f'{stem}-{clip.sha256[:12]}{dot}{suffix}' if taken else clip.name}"


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as given, atomic(target) as partial, partial.open("wb") as copy:
        while part := given.read(COPY_BYTES):
            copy.write(part)


def _list_groups(clips: Path, targets: Sequence[str]) -> None:
    """List clips in `groups.csv`, if there is one: without it, names alone tell their groups."""
    path, rows = clips / GROUPS, _listed(clips)
    if not path.is_file() or not targets:
        return
    groups = {row.path: row.group for row in rows}
    new = [target for target in targets if target not in groups]
    labels = {row.path: row.label for row in rows} | {target: target.split("/")[0] for target in new}
    named = groups_by_name(labels).groups
    listed = {named[place]: group for place, group in groups.items() if place in named}
    with disk_errors(path):
        before = path.read_text(encoding="utf-8-sig")
    first = before.partition("\n")[0]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=max(DELIMITERS, key=first.count), lineterminator="\n")
    header = [
        name.strip().lower() for name in next(csv.reader([first], delimiter=max(DELIMITERS, key=first.count)))
    ]
    for target in new:
        group = named.get(target, Path(target).stem)
        values = {"path": target, "label": labels[target], "group": listed.get(group, group)}
        writer.writerow([values.get(name, "") for name in header])
    if new:
        write_text(path, before + ("" if before.endswith("\n") else "\n") + text.getvalue())


def _listed(clips: Path) -> list[Row]:
    """The rows of `groups.csv`; none without it."""
    if not (clips / GROUPS).is_file():
        return []
    return read_groups(clips, [file.relative_to(clips).as_posix() for file in files_below(clips)])
