"""The folds of a protocol as rows of the examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reelflow.contracts import Clip
from reelflow.errors import DataError
from reelflow.nets.examples import Examples, Rows
from reelflow.splitting.protocols import Protocol, cut_folds


@dataclass(frozen=True)
class Cut:
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


def cut_rows(examples: Examples, clips: Sequence[Clip], protocol: Protocol) -> list[Cut]:
    """The protocol's folds, cut from all clips; those without features are then left out.

    Raises:
        DataError: a fold has no clips to train or validate on, or a class none to train on.
    """
    cuts = []
    for number, fold in enumerate(cut_folds(clips, protocol)):
        parts = map(examples.rows_of, (fold.train, fold.validation, fold.test))
        cuts.append(Cut(fold.name, number, *parts))
        _check(cuts[-1], examples)
    return cuts


def all_rows(examples: Examples, number: int) -> Cut:
    """To train on everything."""
    nothing = np.array([], np.int64)
    return Cut("all clips", number, np.arange(len(examples.clips)), nothing, nothing)


def _check(cut: Cut, examples: Examples) -> None:
    for split, rows in (("train", cut.train), ("validation", cut.validation)):
        if not len(rows):
            raise DataError(
                f"{cut.name}: no clips with features in the {split} split: add clips or cut it otherwise"
            )
    counts = np.bincount(examples.truth[cut.train], minlength=len(examples.labels))
    empty = [label for label, count in zip(examples.labels, counts, strict=True) if not count]
    if empty:
        raise DataError(
            f"{cut.name}: no clips to train on of {', '.join(empty)}: "
            "add clips of these classes, or drop the classes"
        )
