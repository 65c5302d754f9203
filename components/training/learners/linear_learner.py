"""Fits linear heads in closed form: no epochs, no early stopping."""

from functools import cached_property
from typing import Any

import numpy as np

from components.training.folds import FoldRows
from components.training.history import History
from components.training.learners.fold_results import EpochProgress, FoldResult
from components.training.learners.graph import scorer
from components.training.learners.objective import Scores, measure
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples, Rows, batches
from reelflow.nets.linear import LinearFit, behind_summary, fit_linear, summaries_of
from reelflow.nets.ridge import Array
from reelflow.params import TrainingParams
from reelflow.progress import emit, track

SUMMARISED_AT_ONCE = 16  # clips; with many windows one has several megabytes


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
        self._views, self._progress, self._scorer = views, progress, scorer(behind_summary(network))

    def train_fold(self, fold: FoldRows) -> FoldResult:
        """Fit on the train and validation clips; their scores come from the inner cross-validation."""
        rows = np.concatenate([fold.train, fold.validation])
        found, truth = self._fit(fold, rows), self._examples.truth[rows]
        scores = found.scores.reshape(len(self._examples.views), len(rows), -1)  # (views * rows, classes)
        validation = scores[list(self._views)].mean(axis=0, dtype=np.float32)  # (rows, classes)
        loss, accuracy = measure(self.score(rows), truth)
        figures = {"train_loss": loss, "train_accuracy": accuracy}
        held_out = slice(len(fold.train), None)  # the validation clips
        loss, accuracy = measure(validation[held_out], truth[held_out])
        figures |= {"validation_loss": loss, "validation_accuracy": accuracy}
        emit("epoch", head=self.network.name, fold=fold.name, epoch=1, penalty=found.penalty, **figures)
        return FoldResult(History([figures]), rows, validation, self.score(fold.test))

    def deploy(self, fold: FoldRows, epochs: int) -> None:  # noqa: ARG002
        """Fit on all clips."""
        self._fit(fold, fold.train)

    def score(self, rows: Rows) -> Scores:
        """Scores of some rows, averaged over views: `(n, classes) float32`."""
        found: Scores = np.mean([self._scorer(self._summaries[view, rows]) for view in self._views], axis=0)
        return found

    @cached_property
    def _summaries(self) -> Array:
        """Of every clip, `(views, rows, dims) float32`: they are the same in every fold."""
        every, views = np.arange(len(self._examples.clips)), len(self._examples.views)
        seen = [(rows, view) for view in range(views) for rows in batches(every, SUMMARISED_AT_ONCE)]
        parts = track(seen, len(seen), "batches")
        found = summaries_of(self.network, (self._examples.features(rows, view) for rows, view in parts))
        return found.reshape(views, len(every), -1)

    def _fit(self, fold: FoldRows, rows: Rows) -> LinearFit:
        """Fit; every view of a clip is a row of the same group."""
        views = len(self._examples.views)
        try:
            found = fit_linear(
                self.network,
                self._summaries[:, rows].reshape(views * len(rows), -1),
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
