"""Labels and splits by folders: `<class>/<clip>`, `<split>/<class>/<clip>` or `<class>/<split>/<clip>`.

A label is the name of the clip's folder. Further levels could mean a person, a day or a class; they are an
error that shows the readings, unless `dataset.label_folder` chooses one.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from reelflow.contracts import SPLITS, Split
from reelflow.errors import DataError, some_of
from reelflow.params import LabelFolder

SPLIT_NAMES: Mapping[str, Split] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
SPLIT_FOLDER = re.compile(r"(?P<name>[a-z]+?)(?:[\s_.-]*(?:set|data|split|clips|videos))?")
LIKE_SPLITS = re.compile(
    r"(?<![^\W\d_])(?:train|trn|val|valid|validation|test|tst|holdout|eval|training|testing"
    r"|entrenamiento|prueba|entra[iî]nement|validierung|validaci[oó]n|apprentissage)(?:set|ing)?(?![^\W\d_])"
)
Folders = Mapping[str, tuple[str, ...]]
SHOWN = 6


@dataclass(frozen=True)
class Layout:
    """What the folders say.

    Attributes:
        labels: by path, as the folder is called.
        splits: by path; empty without split folders.
        stray: clips without a class folder.
        notes: what was recognised.
    """

    labels: Mapping[str, str]
    splits: Mapping[str, Split]
    stray: tuple[str, ...]
    notes: tuple[str, ...]


def read_layout(paths: Sequence[str], label_folder: LabelFolder) -> Layout:
    """Read labels and splits from the folders of clips.

    Raises:
        DataError: it is not certain which folder is the class.
    """
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    inside = {path: names for path, names in folders.items() if names}
    splits, below, notes = _take_splits(inside, label_folder)
    classes = {path: names for path, names in below.items() if names}
    if label_folder == "only" and any(len(names) > 1 for names in classes.values()):
        raise DataError(_explain(folders, classes))
    if not splits and (like := _like_splits(classes)):
        said = f"{some_of(like, SHOWN)} are not read as splits: call them train, val or test if they are"
        notes = (*notes, said)
    place = 0 if label_folder == "top" else -1
    stray = tuple(path for path in paths if path not in classes)
    labels = {path: names[place] for path, names in classes.items()}
    return Layout(labels, {path: splits[path] for path in labels if path in splits}, stray, notes)


def given_splits(paths: Iterable[str]) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Splits by the topmost folders or those below, and a note; empty unless all of a level are such.

    Raises:
        DataError: nothing is left to train on.
    """
    folders = {path: PurePosixPath(path).parts[:-1] for path in paths}
    level = next((level for level in (0, 1) if _are_splits(level, folders)), None)
    return ({}, ()) if level is None else _splits_at(level, folders)


def split_of(name: str) -> Split | None:
    """The split that a folder is called after, as `Train` or `test_set`; None for other names."""
    found = SPLIT_FOLDER.fullmatch(name.strip().casefold())
    return SPLIT_NAMES.get(found["name"]) if found else None


def _take_splits(
    folders: Folders, label_folder: LabelFolder
) -> tuple[Mapping[str, Split], Folders, tuple[str, ...]]:
    """The splits, the folders without those of splits, and notes."""
    for level in (0, 1):
        if not _are_splits(level, folders):
            continue
        if level == 0 and not any(len(names) > 1 for names in folders.values()):
            if label_folder == "only":
                raise DataError(_explain_without_classes(folders))
            continue
        left = {path: names[:level] + names[level + 1 :] for path, names in folders.items()}
        splits, notes = _splits_at(level, {path: folders[path] for path, names in left.items() if names})
        return splits, left, notes
    return {}, folders, ()


def _are_splits(level: int, folders: Folders) -> bool:
    """Whether every folder of a level is called like a split; those of classes, like two or more."""
    if not folders or not all(len(names) > level for names in folders.values()):
        return False
    found = {split_of(names[level]) for names in folders.values()}
    return None not in found and (level == 0 or len(found) > 1)


def _splits_at(level: int, folders: Folders) -> tuple[dict[str, Split], tuple[str, ...]]:
    names = {path: parts[level] for path, parts in folders.items()}
    splits = {path: split for path, name in names.items() if (split := split_of(name))}
    found = set(splits.values())
    shown = some_of(sorted(set(names.values())), SHOWN)
    if len(found) == 1:
        return {}, (f"{shown} is the only split folder: its clips are split anew",)
    if "train" not in found:
        raise DataError(f"found the split folders {shown}, and no train: add train, or rename them")
    if "test" not in found:
        note = "there is no test folder: validation clips are taken from train, and val is the test"
        return {path: "train" if split == "train" else "test" for path, split in splits.items()}, (
            _counted(shown, splits),
            note,
        )
    taken = () if "validation" in found else ("there is no val folder: validation clips come from train",)
    return splits, (_counted(shown, splits), *taken)


def _counted(shown: str, splits: Mapping[str, Split]) -> str:
    counts = Counter(splits.values())
    found = ", ".join(f"{counts[split]} {split}" for split in SPLITS if counts[split])
    return f"the folders {shown} give the split ({found}), for the protocol holdout"


def _explain(folders: Folders, classes: Folders) -> str:
    deepest = max(classes, key=lambda path: len(classes[path]))
    readings = {
        "top": {names[0] for names in classes.values()},
        "parent": {names[-1] for names in classes.values()},
    }
    lines = [
        f"  --label-folder {choice}: {len(labels)} class(es): {some_of(sorted(labels), SHOWN)}"
        for choice, labels in readings.items()
    ]
    return (
        f"the class of a clip is not certain: there are folders within folders, as in {deepest!r}\n"
        + "\n".join(lines)
        + "\nChoose one (params: dataset.label_folder; make: LABEL_FOLDER=), or list the clips in groups.csv "
        "(path,label,group)" + _half_split(folders)
    )


def _half_split(folders: Folders) -> str:
    """A hint where some folders are called like splits and others are not."""
    top = {names[0] for names in folders.values() if names}
    splits = sorted(name for name in top if split_of(name))
    others = sorted(top - set(splits))
    if like := _like_splits(folders):
        return f". If {some_of(like, SHOWN)} are splits, call all such folders train, val or test"
    if not splits or not others:
        return ""
    return (
        f". {some_of(splits, SHOWN)} would be splits if every folder beside them were train, val or test; "
        f"found {some_of(others, SHOWN)}: move them elsewhere"
    )


def _like_splits(folders: Folders) -> list[str]:
    """Topmost folders with others in them that seem to be splits, and are not called so."""
    top = {names[0] for names in folders.values() if len(names) > 1}
    return sorted(name for name in top if not split_of(name) and LIKE_SPLITS.search(name.casefold()))


def _explain_without_classes(folders: Folders) -> str:
    names = some_of(sorted({names[0] for names in folders.values()}), SHOWN)
    return (
        f"the folders {names} are called like splits and hold clips, as {min(folders)!r}, not class folders: "
        "expected <split>/<class>/<clip>. List the clips in groups.csv (path,label,group), or say that these "
        "folders are the classes with --label-folder parent (params: dataset.label_folder; make: "
        "LABEL_FOLDER=)"
    )
