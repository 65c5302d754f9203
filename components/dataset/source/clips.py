"""Finds the clips of a source with their labels, groups and given splits."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from components.dataset.source.groups_csv import COLUMNS, GroupsTable, Row
from components.dataset.source.labels import changed, check_names, check_twins, clean, twins_of_groups
from components.dataset.source.layout import given_splits, read_layout
from components.dataset.source.listing import ARCHIVES, GROUPS, FolderListing, list_folder, list_names
from components.dataset.source.naming import groups_by_name
from components.dataset.source.reasons import commonest
from reelflow.contracts import Rejected, Split
from reelflow.errors import DataError
from reelflow.files import exists, shown_path
from reelflow.params import LabelFolder

RECIPES = (".yaml", ".yml")
TABLES = (".csv", ".tsv", ".tab", ".txt")


@dataclass(frozen=True)
class FoundClip:
    """A file that may be a clip. `path` is relative to the source, with forward slashes."""

    path: str
    label: str
    group: str


@dataclass(frozen=True)
class FoundClips:
    """What was found in a source.

    Attributes:
        clips: sorted by path.
        rejected: what is left out, each with its reason.
        splits: by path, as split folders give them; empty without such folders.
        notes: what a reader of the results should know.
    """

    clips: tuple[FoundClip, ...]
    rejected: tuple[Rejected, ...] = ()
    splits: Mapping[str, Split] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """How names are read, as in params.

    Attributes:
        label_folder: which folder is the class, where there are several levels.
        group_by_name: whether names that cameras and datasets give define groups.
    """

    label_folder: LabelFolder = "only"
    group_by_name: bool = True


def find_clips(source: Path, reading: Reading) -> FoundClips:
    """Find the clips of a folder.

    Raises:
        DataError: there are no clips, `groups.csv` is wrong, or labels are not certain.
    """
    if not source.is_dir():
        raise DataError(_explain_no_folder(source))
    return _found(list_folder(source), source, reading)


def clips_among(names: Iterable[str], source: Path, reading: Reading) -> FoundClips:
    """As `find_clips`, of files whose names are known; only `groups.csv` must be in the folder.

    Raises:
        DataError: as `find_clips`.
    """
    return _found(list_names(names), source, reading)


def _found(listing: FolderListing, source: Path, reading: Reading) -> FoundClips:
    listed = os.path.lexists(source / GROUPS)
    if listing.meant_groups and not listed:
        meant = source / listing.meant_groups[0]
        is_text = meant.suffix.strip().lower() in TABLES
        how = f"rename it to {GROUPS}" if is_text else f"save it as CSV in UTF-8, called {GROUPS},"
        raise DataError(
            f"{meant} is not read: {how} if it holds groups, else to something that is not so like it"
        )
    found = _by_table(listing, source) if listed else _by_folders(listing, source, reading)
    if not found.clips:
        raise DataError(_explain_none(listing, source))
    labels = {clip.label: clip.path for clip in reversed(found.clips)}
    check_names(labels)
    check_twins(labels)
    return found


def _by_table(listing: FolderListing, source: Path) -> FoundClips:
    table = GroupsTable(source)
    rows = table.rows(set(listing.files))
    if not rows:
        raise DataError(f"{source / GROUPS} lists no clips: write a line for each, or remove it")
    listed = {row.path for row in rows}
    for path in listing.files:
        if path not in listed:
            listing.reject(path, f"it is not listed in {GROUPS}")
    clips = sorted((_clip(row) for row in rows), key=lambda clip: clip.path)
    splits, notes = given_splits(clip.path for clip in clips)
    cleaned = changed(row.label for row in rows)
    notes = (
        *notes,
        *table.note_on_columns(),
        *cleaned,
        *twins_of_groups(row.group for row in rows),
        *listing.note(),
    )
    return FoundClips(tuple(clips), tuple(listing.rejected), splits, notes)


def _by_folders(listing: FolderListing, source: Path, reading: Reading) -> FoundClips:
    layout = read_layout(listing.files, reading.label_folder)
    labels = {path: clean(label) for path, label in layout.labels.items() if clean(label)}
    for path in listing.files:
        if path in layout.stray:
            listing.reject(path, _why_stray(source / path))
        elif path not in labels:
            listing.reject(path, "the name of its class folder is blank: rename the folder")
    named = groups_by_name(labels) if reading.group_by_name else None
    groups = named.groups if named else {}
    clips = [FoundClip(path, label, groups.get(path, path)) for path, label in sorted(labels.items())]
    alone = sum(clip.group == clip.path for clip in clips)
    notes = (
        *layout.notes,
        *changed(layout.labels.values()),
        *(named.notes if named else ()),
        *(_explain_alone(alone, len(clips)) if alone else ()),
        *(_explain_subfolders(clips) if reading.label_folder == "top" else ()),
        *listing.note(),
    )
    return FoundClips(tuple(clips), tuple(listing.rejected), layout.splits, notes)


def _why_stray(path: Path) -> str:
    """Why a clip has no class; a link whose target is away may have been a whole class."""
    if path.is_symlink() and not exists(path):
        target = shown_path(str(path.readlink()))
        return f"it is a link to {target}, which is not there: connect its disk, or remove it"
    return "it is in no class folder: move it into one"


def _clip(row: Row) -> FoundClip:
    return FoundClip(row.path, clean(row.label), row.group)


def _explain_no_folder(source: Path) -> str:
    if not exists(source):
        return f"{source} is not there, or is not a folder: expected {source}/<class>/<clip>"
    advice = "unpack it, and" if source.suffix.lower() in ARCHIVES else "it is a file:"
    return f"{source} is not a folder: {advice} name the folder that holds <class>/<clip>"


def _explain_alone(alone: int, clips: int) -> tuple[str]:
    return (
        f"{alone} of {clips} clips are groups of their own: without {GROUPS} ({','.join(COLUMNS)}) it is "
        "unknown which clips are of the same recording",
    )


def _explain_subfolders(clips: Sequence[FoundClip]) -> tuple[str, ...]:
    """A note on folders of several clips below those of the classes, which tell no groups."""
    inside = Counter(str(PurePosixPath(clip.path).parent) for clip in clips if clip.group == clip.path)
    several = sorted(folder for folder, count in inside.items() if "/" in folder and count > 1)
    if not several:
        return ()
    return (
        f"{len(several)} folder(s) below those of the classes hold several clips, such as {several[0]}: if "
        f"these are recordings or persons, list their clips as groups in {GROUPS}",
    )


def _explain_none(listing: FolderListing, source: Path) -> str:
    flat = [path for path in listing.files if "/" not in path]
    if flat:
        table = f": rename {listing.tables[0]} and its columns so" if listing.tables else ""
        return (
            f"{source} holds {len(flat)} clip(s) and no class folders: expected {source}/<class>/<clip>. "
            f"A {GROUPS} beside the clips ({','.join(COLUMNS)}) does it without folders{table}; the group "
            "of a clip is its recording"
        )
    left = f"; left out: {commonest(one.reason for one in listing.rejected)}" if listing.rejected else ""
    return f"{source} holds no clips: expected {source}/<class>/<clip>{left}{listing.explain_ignored()}"
