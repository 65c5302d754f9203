"""The clips of training that a sheet is for: their labels, and whether a clip is among them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from components.dataset.source.groups_csv import read_groups
from components.dataset.source.labels import check_twins, clean
from components.dataset.source.layout import read_layout, split_of
from components.dataset.source.listing import GROUPS, OF_SYSTEMS, list_folder
from pipelines.inbox.sheet import UNUSABLE
from reelflow.contracts import UNSURE
from reelflow.errors import DataError, disk_errors
from reelflow.files import sha256_file

MOST_LABEL_BYTES = 200


class KnownClips:
    """A folder of clips, as the dataset step reads it; it may not be there yet.

    Attributes:
        labels: by path below the folder.
        has_splits: whether its folders are those of splits.
    """

    def __init__(self, folder: Path) -> None:
        """List the clips. In a folder of a split, the other splits beside it are looked at too.

        Raises:
            DataError: its folders or its `groups.csv` contradict themselves.
        """
        self._folder = folder
        files = list_folder(folder).files if folder.is_dir() else []
        layout = read_layout(files, "top")
        self.has_splits = bool(layout.splits)
        self.labels: dict[str, str] = {path: clean(label) for path, label in layout.labels.items()}
        if (folder / GROUPS).is_file():
            self.labels |= {row.path: clean(row.label) for row in read_groups(folder, files)}
        self._sizes: defaultdict[int, list[tuple[Path, str]]] = defaultdict(list)
        self._hashes: dict[Path, str] = {}
        for path in files:
            self._add(folder / path, self.labels.get(path, ""))
        for split in _splits_beside(folder):
            found = list_folder(split).files
            for path, label in read_layout(found, "top").labels.items():
                self._add(split / path, clean(label))

    @property
    def classes(self) -> list[str]:
        """The labels, and the folders that wait for their first clip."""
        empty = (one.name for one in self._folder.iterdir() if _is_empty(one))
        waiting = (clean(name) for name in empty if not split_of(name))
        return sorted({*self.labels.values(), *waiting})

    def same_as(self, sha256: str, size_bytes: int) -> Mapping[Path, str]:
        """Labels of the clips with this content, by path."""
        found = {}
        for path, label in self._sizes.get(size_bytes, ()):
            if path not in self._hashes:
                with disk_errors(path):
                    self._hashes[path] = sha256_file(path)
            if self._hashes[path] == sha256:
                found[path] = label
        return found

    def _add(self, path: Path, label: str) -> None:
        if label and path.is_file():  # one without a label waits for one, wherever it lies
            self._sizes[path.stat().st_size].append((path, label))


def labels_of(clips: Path | None, given: str) -> tuple[str, ...]:
    """The labels that people choose from.

    Args:
        clips: a folder of clips, whose labels these are.
        given: labels, separated by commas, besides.

    Raises:
        DataError: there are fewer than two, or one cannot be a folder of clips.
    """
    if clips is not None and not clips.is_dir():
        raise DataError(f"{clips} is not a folder: name the clips of training, or give --labels a,b alone")
    known = KnownClips(clips).classes if clips else []
    labels = tuple(dict.fromkeys([*known, *filter(None, map(clean, given.split(",")))]))
    if len(labels) < 2:
        raise DataError(
            f"labels: found {', '.join(labels) or 'none'}, expected two or more: --clips with a folder per "
            "class, or --labels a,b"
        )
    for label in labels:
        if problem := _problem(label):
            raise DataError(f"the label {label!r} cannot be used: {problem}; choose another name")
    if all(map(split_of, labels)):
        raise DataError(f"the labels {', '.join(labels)} are names of splits: choose other ones")
    check_twins(dict.fromkeys(labels, "a label"))
    return labels


def _problem(label: str) -> str:
    if label == UNUSABLE:
        return "this name is for clips that cannot be used"
    if label == UNSURE:
        return "a device calls clips without an answer so"
    if label.startswith(".") or label.casefold() in {*OF_SYSTEMS, GROUPS}:
        return "a folder of this name is not read"
    if set(label) & set("/\\") or not label.isprintable():
        return "it has characters that names of folders do not have"
    if len(label.encode()) > MOST_LABEL_BYTES:
        return f"it has more than {MOST_LABEL_BYTES} bytes"
    return ""


def _splits_beside(folder: Path) -> Sequence[Path]:
    """The folders of other splits, if this one is a split."""
    place = folder.absolute()
    if not split_of(place.name) or not place.parent.is_dir():
        return ()
    beside = (one for one in sorted(place.parent.iterdir()) if one.is_dir() and one != place)
    return [one for one in beside if split_of(one.name)]


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.name.startswith(".") and not any(path.iterdir())
