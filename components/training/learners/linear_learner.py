"""Fits linear heads in closed form: no epochs, no early stopping."""

from typing import Any

import numpy as np

from components.training.folds import FoldRows
from components.training.history import History
from components.training.learners.epochs import score
from components.training.learners.fold_results import EpochProgress, FoldResult
from components.training.learners.graph import scorer
from components.training.learners.objective import measure
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples, Rows, batches
from reelflow.nets.linear import LinearFit, fit_linear
from reelflow.params import TrainingParams
from reelflow.progress import emit

FITTED_AT_ONCE = 128  # clips


class LinearLearner:
    """Fits a linear head on the train and validation clips of a fold.

    The validation scores are those of an inner cross-validation over the same clips.

    Args:
        network: the untrained network.
        examples: all clips.
        params: penalties to choose from.
        views: indexes of the views whose scores are averaged.
        progress: progress of all fits; a fit counts as one epoch.
    """

    def __init__(
        self,
        network: Any,
        examples: Examples,
        params: TrainingParams,
        views: tuple[int, ...],
        progress: EpochProgress,
    ) -> None:
        self.network, self._examples, self._params = network, examples, params
        self._views, self._progress, self._scorer = views, progress, scorer(network)

    def train_fold(self, fold: FoldRows) -> FoldResult:
        """Fit on the train and validation clips; their scores come from the inner cross-validation."""
        rows = np.concatenate([fold.train, fold.validation])
        found, truth = self._fit(fold, rows), self._examples.truth[rows]
        scores = found.scores.reshape(len(self._examples.views), len(rows), -1)  # (views * rows, classes)
        validation = scores[list(self._views)].mean(axis=0, dtype=np.float32)  # (rows, classes)
        loss, accuracy = measure(score(self._scorer, self._examples, rows, self._views), truth)
        figures = {"train_loss": loss, "train_accuracy": accuracy}
        held_out = slice(len(fold.train), None)  # the validation clips
        loss, accuracy = measure(validation[held_out], truth[held_out])
        figures |= {"validation_loss": loss, "validation_accuracy": accuracy}
        emit("epoch", head=self.network.name, fold=fold.name, epoch=1, penalty=found.penalty, **figures)
        test = score(self._scorer, self._examples, fold.test, self._views)
        return FoldResult(History([figures]), rows, validation, test)

    def deploy(self, fold: FoldRows, epochs: int) -> None:  # noqa: ARG002
        """Fit on all clips."""
        self._fit(fold, fold.train)

    def _fit(self, fold: FoldRows, rows: Rows) -> LinearFit:
        """Fit; every view of a clip is a row of the same group."""
        views = len(self._examples.views)
        parts = batches(rows, FITTED_AT_ONCE)
        try:
            found = fit_linear(
                self.network,
                (self._examples.features(part, view) for view in range(views) for part in parts),
                np.tile(self._examples.truth[rows], views),
                [self._examples.clips[row].group for row in rows] * views,
                self._params,
                self._params.seed + fold.number,
            )
        except np.linalg.LinAlgError as error:
            raise ParamsError(
                f"{fold.name}: there is no solution with a penalty of {min(self._params.penalties):g}: "
                "use larger training.penalties, or fewer training.segments"
            ) from error
        self._progress.finish(1)
        return found
