"""Takes labelled clips of a sheet into the folder of clips, `CLIPS/LABEL/NAME`."""

import csv
import io
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.dataset.source.groups_csv import form_of, read_groups
from components.dataset.source.listing import GROUPS
from components.dataset.source.naming import groups_by_name
from pipelines.inbox.clips import KnownClips
from pipelines.inbox.sheet import CLIPS, UNUSABLE, Sheet, SheetClip, free_name
from reelflow.errors import DataError, disk_errors, some_of
from reelflow.files import atomic, files_below, sha256_file, write_text
from reelflow.progress import track

COPY_BYTES = 1 << 20
MOST_TOLD = 5


@dataclass(frozen=True)
class TakenClips:
    """What has come of it.

    Attributes:
        added: clips that are new in the folder.
        there: clips whose content it has already, with the same label.
        unlabelled: clips of the sheet without a label.
        unusable: clips that people have called so.
        places: folders of their classes, and `groups.csv`.
    """

    added: int
    there: int
    unlabelled: int
    unusable: int
    places: tuple[Path, ...]


@dataclass(frozen=True)
class _Move:
    """A clip of a sheet, and where it comes to."""

    clip: SheetClip
    label: str
    target: Path
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
    chosen = [(clip, given[clip.name]) for clip in sheet.clips if given.get(clip.name, UNUSABLE) != UNUSABLE]
    for clip, _ in chosen:
        _check_content(folder / CLIPS / clip.name, clip)
    moves = list(_moves(chosen, folder, clips))
    for move in track(moves, len(moves), "clips"):
        if not move.is_there:
            _copy(folder / CLIPS / move.clip.name, move.target)
    below = [move.target for move in moves if move.target.is_relative_to(clips)]
    _list_groups(clips, [path.relative_to(clips).as_posix() for path in below])
    there = sum(move.is_there for move in moves)
    unusable = sum(label == UNUSABLE for label in given.values())
    places = dict.fromkeys([*(clips / move.label for move in moves), clips / GROUPS])
    return TakenClips(len(moves) - there, there, len(sheet.clips) - len(given), unusable, tuple(places))


def _check_content(path: Path, clip: SheetClip) -> None:
    with disk_errors(path):
        if not path.is_file() or path.is_symlink() or sha256_file(path) != clip.sha256:
            raise DataError(
                f"{path} is not the clip that was labelled: it was altered or removed; make a new sheet"
            )


def _moves(chosen: Sequence[tuple[SheetClip, str]], folder: Path, clips: Path) -> Iterator[_Move]:
    """Where each clip of a sheet's folder comes to.

    Raises:
        DataError: a clip is there with another label.
    """
    known = KnownClips(clips)
    if known.has_splits:
        parts = ", ".join(sorted(one.name for one in clips.iterdir() if one.is_dir()))
        raise DataError(f"{clips} holds {parts}: name the one that takes the clips, {clips / 'train'}")
    wrong, targets = [], set[Path]()
    for clip, label in chosen:
        found = known.same_as(clip.sha256, (folder / CLIPS / clip.name).stat().st_size)
        if others := [f"{path} ({other})" for path, other in found.items() if other != label]:
            wrong.append(f"{clip.name}: labelled {label}, and the same clip is {others[0]}")
        elif found:
            yield _Move(clip, label, next(iter(found)), is_there=True)
        else:
            target = _free_target(clips / label, clip, targets)
            targets.add(target)
            yield _Move(clip, label, target, is_there=False)
    if wrong:
        raise DataError(
            f"{len(wrong)} clip(s) have two labels, and nothing was copied: {some_of(wrong, MOST_TOLD)}; "
            "decide on one of them"
        )


def _free_target(place: Path, clip: SheetClip, targets: Collection[Path]) -> Path:
    """A name that no other clip has, be it there or on its way."""

    def is_taken(name: str) -> bool:
        return os.path.lexists(place / name) or place / name in targets

    return place / free_name(clip.name, clip.sha256, is_taken)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as given, atomic(target) as partial, partial.open("wb") as copy:
        while part := given.read(COPY_BYTES):
            copy.write(part)


def _list_groups(clips: Path, targets: Sequence[str]) -> None:
    """List clips in `groups.csv`, if there is one: without it, file names define the groups."""
    path = clips / GROUPS
    if not path.is_file() or not targets:
        return
    rows = read_groups(clips, [file.relative_to(clips).as_posix() for file in files_below(clips)])
    groups = {row.path: row.group for row in rows}
    new = [target for target in targets if target not in groups]
    labels = {row.path: row.label for row in rows} | {target: target.split("/")[0] for target in new}
    named = groups_by_name(labels).groups
    listed = {named[place]: group for place, group in groups.items() if place in named}
    with disk_errors(path):
        before = path.read_text(encoding="utf-8-sig")
    first, _, rest = before.partition("\n")
    delimiter, is_header = form_of(first)
    head = first if is_header else rest.partition("\n")[0]
    header = [name.strip().lower() for name in next(csv.reader([head], delimiter=delimiter))]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    for target in new:
        group = named.get(target, Path(target).stem)
        values = {"path": target, "label": labels[target], "group": listed.get(group, group)}
        writer.writerow([values.get(name, "") for name in header])
    if new:
        write_text(path, before + ("" if before.endswith("\n") else "\n") + text.getvalue())
