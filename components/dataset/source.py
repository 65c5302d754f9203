"""Finds the clips of a source, their labels and groups: `DIR/<class>/<clip>`, or `groups.csv`."""

import csv
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from reelflow.contracts import Rejected
from reelflow.errors import DataError
from reelflow.progress import emit

GROUPS = "groups.csv"
COLUMNS = ("path", "label", "group")
UCF101_NAME = re.compile(r"v_(?P<name>.+)_g(?P<group>\d+)_c\d+")
NO_CLIPS = frozenset(
    {".bmp", ".csv", ".db", ".htm", ".html", ".ini", ".jpeg", ".jpg", ".json", ".log", ".md", ".npy", ".npz"}
    | {".parquet", ".pdf", ".png", ".py", ".sha256", ".srt", ".sub", ".toml", ".tsv", ".txt", ".vtt", ".xml"}
    | {".yaml", ".yml", ".zip"}
)


@dataclass(frozen=True)
class FoundClip:
    """A file that may be a clip. `path` is relative to the source, with forward slashes."""

    path: str
    label: str
    group: str


def find_clips(source: Path) -> tuple[list[FoundClip], list[Rejected]]:
    """List the clips of a folder, sorted by path, and the files that cannot be listed.

    Raises:
        DataError: the folder does not exist, has no clips, or its `groups.csv` is wrong.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder: expected {source}/<class>/<clip>")
    return clips_among(_files_of_classes(source), source)


def clips_among(paths: Iterable[str], source: Path) -> tuple[list[FoundClip], list[Rejected]]:
    """As `find_clips`, of files whose names are known; only `groups.csv` must be in the folder.

    Raises:
        DataError: there are no clips, or `groups.csv` is wrong.
    """
    files, rejected = _readable_names(paths)
    if os.path.lexists(source / GROUPS):
        found = _read_groups(source)
        listed = {clip_file.path for clip_file in found}
        rejected += [
            Rejected(path=path, reason=f"it is not listed in {GROUPS}")
            for path in files
            if path not in listed
        ]
    else:
        found = [FoundClip(path, _label_of(path), _group_of(path)) for path in files]
        _explain_groups(found)
    if not found:
        raise DataError(f"{source} holds no clips: expected {source}/<class>/<clip>")
    return sorted(found, key=lambda clip_file: clip_file.path), rejected


def _files_of_classes(source: Path) -> Iterator[str]:
    """Files below the class folders, by relative path. Hidden files and those of `NO_CLIPS` are ignored."""
    ignored = 0
    for class_folder in sorted(source.iterdir()):
        if class_folder.name.startswith(".") or not class_folder.is_dir():
            continue
        for folder, folders, names in os.walk(class_folder):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(name for name in names if not name.startswith(".")):
                if may_be_clip(name):
                    yield Path(folder, name).relative_to(source).as_posix()
                else:
                    ignored += 1
    if ignored:
        emit("notice", message=f"{ignored} file(s) ignored: their suffixes are not those of clips")


def may_be_clip(name: str) -> bool:
    """Whether a file's suffix is not one of other files."""
    return PurePosixPath(name).suffix.lower() not in NO_CLIPS


def _readable_names(paths: Iterable[str]) -> tuple[list[str], list[Rejected]]:
    """Paths in UTF-8, and rejected ones that are not."""
    good, rejected = [], []
    for path in paths:
        try:
            path.encode()
            good.append(path)
        except UnicodeEncodeError:
            shown = os.fsencode(path).decode(errors="backslashreplace")
            rejected.append(Rejected(path=shown, reason="its name is not valid UTF-8: rename it"))
    return good, rejected


def _label_of(path: str) -> str:
    return PurePosixPath(path).parts[0]


def _group_of(path: str) -> str:
    """By UCF101's naming, `v_<Class>_gNN_cNN`, else a group of its own."""
    name = UCF101_NAME.fullmatch(PurePosixPath(path).stem)
    return f"{name['name']}_g{name['group']}" if name else path


def _explain_groups(found: list[FoundClip]) -> None:
    alone = sum(clip_file.group == clip_file.path for clip_file in found)
    if alone:
        emit(
            "notice",
            message=f"{alone} of {len(found)} clips are groups of their own: without {GROUPS} "
            f"({','.join(COLUMNS)}) it is unknown which clips are of the same recording",
        )


def _read_groups(source: Path) -> list[FoundClip]:
    """Labels and groups from `groups.csv`; a missing file is quarantined later."""
    path = source / GROUPS
    if not path.is_file():
        raise DataError(f"{path} is not a readable file: put the CSV file there, or remove it")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if not set(COLUMNS) <= set(reader.fieldnames or ()):
                raise DataError(f"{path} has the columns {reader.fieldnames}; expected {', '.join(COLUMNS)}")
            rows = [(reader.line_num, _candidate(row, f"{path}, line {reader.line_num}")) for row in reader]
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error
    found: dict[str, FoundClip] = {}
    for line, clip_file in rows:
        if found.setdefault(clip_file.path, clip_file) != clip_file:
            raise DataError(f"{path}, line {line}: {clip_file.path} is listed twice, with different values")
    return list(found.values())


def _candidate(row: dict[str, str | None], where: str) -> FoundClip:
    values = [row[column] for column in COLUMNS]
    if not all(values):
        raise DataError(f"{where}: found {values}; {', '.join(COLUMNS)} must all be given")
    clip_file = FoundClip(*(str(value) for value in values))
    path = PurePosixPath(clip_file.path)
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{where}: {clip_file.path} is outside of the folder; paths must be inside it")
    if "\0" in clip_file.path:
        raise DataError(f"{where}: {clip_file.path!r} is not a path: it has a zero byte")
    return FoundClip(path.as_posix(), clip_file.label, clip_file.group)
