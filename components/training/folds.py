"""The folds of a protocol as rows of the examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reelflow.contracts import Clip
from reelflow.errors import DataError
from reelflow.nets.examples import Examples, Rows
from reelflow.splitting.protocols import Protocol, make_folds


@dataclass(frozen=True)
class FoldRows:
    """Rows of one training: train, validation and test clips.

    Attributes:
        name: of the fold.
        number: index of the fold; randomness depends on it, the seed and the epoch.
        train: rows to train on.
        validation: rows that select the epoch.
        test: rows held out.
    """

    name: str
    number: int
    train: Rows
    validation: Rows
    test: Rows

    def seed(self, *seed: int) -> tuple[int, ...]:
        """Seed of this fold; the first fold has the seed of a training without folds."""
        return (*seed, self.number) if self.number else seed


def fold_rows(examples: Examples, clips: Sequence[Clip], protocol: Protocol) -> list[FoldRows]:
    """The folds of the protocol, made from all clips; clips without features are then left out.

    Raises:
        DataError: a fold has no clips to train or validate on, or a class has no training clips.
    """
    folds = []
    for number, clips_of in enumerate(make_folds(clips, protocol)):
        parts = map(examples.rows_of, (clips_of.train, clips_of.validation, clips_of.test))
        folds.append(FoldRows(clips_of.name, number, *parts))
        _check(folds[-1], examples)
    return folds


def all_rows(examples: Examples, number: int) -> FoldRows:
    """A fold that trains on all clips."""
    nothing = np.array([], np.int64)
    return FoldRows("all clips", number, np.arange(len(examples.clips)), nothing, nothing)


def _check(fold: FoldRows, examples: Examples) -> None:
    for split, rows in (("train", fold.train), ("validation", fold.validation)):
        if not len(rows):
            raise DataError(
                f"{fold.name}: no clips with features in the {split} split: add clips or split it otherwise"
            )
    counts = np.bincount(examples.truth[fold.train], minlength=len(examples.labels))
    empty = [label for label, count in zip(examples.labels, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f"{fold.name}: no clips to train on of {', '.join(empty)}: "
            "add clips of these classes, or drop the classes"
        )
