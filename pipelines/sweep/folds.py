"""Nested folds as folders of the dataset step: an inner fold has no test clip of its outer fold.

The folders are made from one data set and have its hash, which identifies the features of its clips; they
differ in the table of clips.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reelflow.artifacts.clips import CLIPS, read_clips, write_clips
from reelflow.contracts import SPLITS, Clip, DatasetReport
from reelflow.errors import DataError
from reelflow.files import sha256_file
from reelflow.splitting.protocols import ClipFold, Protocol, make_folds

WHOLE = "all clips"


@dataclass(frozen=True)
class Nest:
    """Clips for the search, and test clips for its choice.

    Attributes:
        name: of the outer fold.
        inner: a folder for each inner fold; their splits are those of a hold-out.
        outer: the folder of the outer fold, likewise; None where no clips are left to judge.
        clips: to choose on.
        tested: clips that judge.
    """

    name: str
    inner: tuple[Path, ...]
    outer: Path | None
    clips: int
    tested: int


def write_nests(dataset: Path, outer: str, inner: str, folder: Path) -> tuple[Nest, ...]:
    """One nest per outer fold, plus one of all clips, which selects what is deployed.

    Args:
        dataset: folder of the dataset step.
        outer: protocol by which clips are held out from the whole search.
        inner: protocol by which a trial is judged.
        folder: to write.

    Raises:
        DataError: there are too few groups or clips of a class for such folds.
    """
    clips = read_clips(dataset)
    folds = make_folds(clips, Protocol.parse(outer))
    nests = [_nest(dataset, fold, inner, folder / str(place)) for place, fold in enumerate(folds, start=1)]
    if len(nests) > 1:
        inside = _write_inner(dataset, WHOLE, clips, inner, folder / "all")
        nests.append(Nest(WHOLE, inside, None, len(clips), 0))
    return tuple(nests)


def _nest(dataset: Path, fold: ClipFold, inner: str, folder: Path) -> Nest:
    known = [clip for clip in _as_splits(fold) if clip.split != "test"]
    inside = _write_inner(dataset, fold.name, known, inner, folder)
    outer = _write(dataset, _as_splits(fold), folder / "outer", f"outer fold {fold.name}")
    return Nest(fold.name, inside, outer, len(known), len(fold.test))


def _write_inner(
    dataset: Path, name: str, clips: Sequence[Clip], inner: str, folder: Path
) -> tuple[Path, ...]:
    try:
        folds = make_folds(clips, Protocol.parse(inner))
    except DataError as error:
        raise DataError(f"inside {name} ({len(clips)} clips): {error}") from error
    return tuple(
        _write(dataset, _as_splits(fold), folder / f"inner-{place}", f"inner fold {fold.name} of {name}")
        for place, fold in enumerate(folds, start=1)
    )


def _as_splits(fold: ClipFold) -> list[Clip]:
    """The fold's clips, their splits being its sides."""
    sides = zip(SPLITS, (fold.train, fold.validation, fold.test), strict=True)
    return [clip.model_copy(update={"split": split}) for split, side in sides for clip in side]


def _write(dataset: Path, clips: Sequence[Clip], folder: Path, note: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_clips(clips, folder / CLIPS)
    splits = Counter(clip.split for clip in clips)
    changes = {
        "split_counts": {split: splits[split] for split in SPLITS},
        "groups": len({clip.group for clip in clips}),
        "notes": (note,),
        "metrics": {},
        "clips_sha256": sha256_file(folder / CLIPS),
    }
    DatasetReport.open(dataset).model_copy(update=changes).save(folder)
    return folder
