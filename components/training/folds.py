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
    """One training: what it learns from, what stops it, what it is tested on.

    Attributes:
        name: of the fold, or of what is trained.
        number: its place; beside the seed and the epoch, chance depends on it alone.
        train: rows to learn from.
        validation: rows that choose the epoch.
        test: rows held out.
    """

    name: str
    number: int
    train: Rows
    validation: Rows
    test: Rows

    def seed(self, *seed: int) -> tuple[int, ...]:
        """What decides its chance; the first one's is that of a training without folds."""
        return (*seed, self.number) if self.number else seed


def fold_rows(examples: Examples, clips: Sequence[Clip], protocol: Protocol) -> list[FoldRows]:
    """The protocol's folds, fold from all clips; those without features are then left out.

    Raises:
        DataError: a fold has no clips to train or validate on, or a class none to train on.
    """
    folds = []
    for number, clips_of in enumerate(make_folds(clips, protocol)):
        parts = map(examples.rows_of, (clips_of.train, clips_of.validation, clips_of.test))
        folds.append(FoldRows(clips_of.name, number, *parts))
        _check(folds[-1], examples)
    return folds


def all_rows(examples: Examples, number: int) -> FoldRows:
    """To train on everything."""
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
