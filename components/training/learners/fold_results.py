"""Results of folds, cached on disk until all folds are finished."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.training.folds import FoldRows
from components.training.history import History
from components.training.learners.checkpoint import DAMAGE
from components.training.learners.objective import Scores
from components.training.learners.team import ALONE, Team
from reelflow.files import atomic
from reelflow.nets.examples import Rows
from reelflow.progress import emit, report


@dataclass(frozen=True)
class FoldResult:
    """The result of a fold.

    Attributes:
        history: metrics per epoch; the scores are those of the best epoch.
        validated: rows of `validation`.
        validation: scores `(clips, classes)` of clips that the model was not trained on.
        test: scores of the fold's test rows.
    """

    history: History
    validated: Rows
    validation: Scores
    test: Scores


class Learner(Protocol):
    """Trains one network on one fold after another."""

    network: Any

    def train_fold(self, fold: FoldRows) -> FoldResult:
        """Train on one fold and score its held-out clips; the network keeps the best weights."""

    def deploy(self, fold: FoldRows, epochs: int) -> None:
        """Train for a fixed number of epochs, without validation clips."""

    def score(self, rows: Rows) -> Scores:
        """Scores of some rows by the network as it is: `(n, classes) float32`."""


class FoldCache:
    """Results of finished folds in the chief's folder; every worker of a team reads the same."""

    def __init__(self, folder: Path, team: Team = ALONE) -> None:
        self._folder, self._team = folder, team

    def write(self, number: int, result: FoldResult) -> None:
        """Cache a result; npz files have checksums."""
        if not self._team.is_chief:
            return
        with atomic(self._path(number)) as partial, partial.open("wb") as file:
            np.savez(
                file,
                history=result.history.to_table(),
                validated=result.validated,
                validation=result.validation,
                test=result.test,
            )

    def read(self, number: int) -> FoldResult | None:
        """The cached result of a fold, or None."""
        path = self._path(number)
        is_here = self._team.is_chief and path.exists()
        content = self._team.of_chief(path.read_bytes() if is_here else None)
        if content is None:
            return None
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                found = {name: file[name] for name in ("validated", "validation", "test")}
                return FoldResult(History.from_table(file["history"]), **found)
        except DAMAGE as error:
            emit("notice", message=f"the result {path} is damaged and ignored: {error}")
            return None

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.npz"


class EpochProgress:
    """Progress of all trainings together, in epochs."""

    def __init__(self, trainings: int, epochs: int) -> None:
        self._done, self._left, self._epochs = 0, trainings, epochs

    def tell(self, epoch: int, epochs: int | None = None) -> None:
        """Report an epoch of the running training, which takes at most `epochs`."""
        rest = self._epochs * (self._left - 1) + (epochs or self._epochs)
        report(self._done + epoch, self._done + rest, "epochs")

    def finish(self, epochs: int) -> None:
        """Report the end of the running training after `epochs`."""
        self._done, self._left = self._done + epochs, self._left - 1
        report(self._done, self._done + self._epochs * self._left, "epochs")
