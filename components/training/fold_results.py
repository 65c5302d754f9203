"""What came of a fold, kept on disk until all folds are over."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.training.checkpoint import DAMAGE
from components.training.folds import FoldRows
from components.training.history import History
from components.training.objective import Scores
from reelflow.files import atomic
from reelflow.nets.examples import Rows
from reelflow.progress import emit, report


@dataclass(frozen=True)
class FoldResult:
    """What came of a fold.

    Attributes:
        history: the figures of its epochs; the best one's weights gave the scores.
        validated: rows of `validation`.
        validation: scores `(clips, classes)` of clips that the scoring weights were not fitted to.
        test: scores of the fold's test rows.
    """

    history: History
    validated: Rows
    validation: Scores
    test: Scores


class Learner(Protocol):
    """Trains one network, fold after fold."""

    network: Any

    def train_fold(self, fold: FoldRows) -> FoldResult:
        """Train on one fold and score what it holds out; the network keeps the best weights."""

    def deploy(self, fold: FoldRows, epochs: int) -> None:
        """Train for so many epochs on clips that nothing is held out from."""


class FoldCache:
    """Outcomes of finished folds in a folder, whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, number: int, result: FoldResult) -> None:
        """Keep one; npz files carry checksums."""
        with atomic(self._path(number)) as partial, partial.open("wb") as file:
            np.savez(
                file,
                history=result.history.to_table(),
                validated=result.validated,
                validation=result.validation,
                test=result.test,
            )

    def read(self, number: int) -> FoldResult | None:
        """The one of this fold, or None."""
        path = self._path(number)
        if not path.exists():
            return None
        try:
            with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                found = {name: file[name] for name in ("validated", "validation", "test")}
                return FoldResult(History.from_table(file["history"]), **found)
        except DAMAGE as error:
            emit("notice", message=f"the result {path} is damaged and not used: {error}")
            return None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.npz"


class EpochProgress:
    """How far all trainings together are, in epochs."""

    def __init__(self, trainings: int, epochs: int) -> None:
        self._done, self._left, self._epochs = 0, trainings, epochs

    def tell(self, epoch: int, epochs: int | None = None) -> None:
        """The running training has finished an epoch; it takes `epochs` at most."""
        rest = self._epochs * (self._left - 1) + (epochs or self._epochs)
        report(self._done + epoch, self._done + rest, "epochs")

    def finish(self, epochs: int) -> None:
        """The running training is over, after so many epochs."""
        self._done, self._left = self._done + epochs, self._left - 1
        report(self._done, self._done + self._epochs * self._left, "epochs")
