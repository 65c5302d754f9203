"""Trains by epochs; each depends only on the seed, the fold number and the epoch number."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from components.training.folds import FoldRows
from components.training.history import Figures, History
from components.training.learners.checkpoint import Arrays, Checkpoints, State
from components.training.learners.fold_results import EpochProgress, FoldResult
from components.training.learners.graph import Scorer, Stepper, scorer
from components.training.learners.objective import Scores, distributions, measure
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples, Rows, batches
from reelflow.nets.runtime import reseed
from reelflow.nets.video.design import is_video_network
from reelflow.params import TrainingParams
from reelflow.progress import emit

SCORED_AT_ONCE = 128  # clips


class EpochLearner:
    """Trains a network by epochs; every training starts from the same weights.

    Args:
        network: the untrained network.
        examples: all clips.
        params: optimiser and schedule.
        views: indexes of the views whose scores are averaged.
        teacher: teacher scores, `(rows, views, classes)`, if any.
        folder: of checkpoints.
        progress: progress of all trainings, in epochs.
    """

    def __init__(
        self,
        network: Any,
        examples: Examples,
        params: TrainingParams,
        views: tuple[int, ...],
        teacher: Scores | None,
        folder: Path,
        progress: EpochProgress,
    ) -> None:
        self.network, self._examples, self._params = network, examples, params
        self._views, self._teacher, self._folder, self._progress = views, teacher, folder, progress
        self._step, self._scorer = Stepper(network, params, is_taught=teacher is not None), scorer(network)
        self._scored_at_once = params.batch_size if is_video_network(network.name) else SCORED_AT_ONCE
        self._initial = self._values()

    def train_fold(self, fold: FoldRows) -> FoldResult:
        """Train until the validation loss stalls; keep the weights of the best epoch.

        Raises:
            ParamsError: the loss is NaN or infinite.
        """
        history = self._train(fold, self._params.epochs)
        if history.is_stalled(self._params.patience):
            stopped = f"stopped after epoch {history.epochs}; epoch {history.best_epoch} is kept"
            emit("notice", message=f"{fold.name}: {stopped}")
        return FoldResult(history, fold.validation, self.score(fold.validation), self.score(fold.test))

    def deploy(self, fold: FoldRows, epochs: int) -> None:
        """Train for a fixed number of epochs.

        Raises:
            ParamsError: the loss is NaN or infinite.
        """
        self._train(fold, epochs)

    def score(self, rows: Rows) -> Scores:
        """Scores of some rows, averaged over views: `(n, classes) float32`."""
        return score(self._scorer, self._examples, rows, self._views, at_once=self._scored_at_once)

    def _train(self, fold: FoldRows, epochs: int) -> History:
        """Resume from the newest checkpoint; afterwards the network has the best weights."""
        checkpoints = Checkpoints(self._folder / str(fold.number), self._params.checkpoint_every_s)
        history, best = self._restore(fold, checkpoints)
        self._progress.tell(history.epochs, epochs)
        is_validated = len(fold.validation) > 0
        while history.epochs < epochs and not (is_validated and history.is_stalled(self._params.patience)):
            figures = self._epoch(fold, history.epochs + 1)
            history.rows.append(figures)
            if not is_validated or history.best_epoch == history.epochs:
                best = self.network.get_weights()
            if checkpoints.due:
                checkpoints.save(State(history, self._values(), best))
            emit("epoch", head=self.network.name, fold=fold.name, epoch=history.epochs, **figures)
            self._progress.tell(history.epochs, epochs)
        self._progress.finish(history.epochs)
        self.network.set_weights(best)
        return history

    def _epoch(self, fold: FoldRows, epoch: int) -> Figures:
        seed = fold.seed(self._params.seed, epoch)
        reseed(self.network, *seed)
        figures = self._learn(fold, epoch, np.random.default_rng(seed))
        if len(fold.validation):
            scores = self.score(fold.validation)
            loss, accuracy = measure(scores, self._examples.truth[fold.validation])
            figures |= {"validation_loss": loss, "validation_accuracy": accuracy}
        self._check(figures, f"{fold.name}: after epoch {epoch}")
        return figures

    def _check(self, figures: Figures, where: str) -> None:
        if not all(map(math.isfinite, figures.values())):
            raise ParamsError(
                f"{where} the loss is NaN or infinite: lower training.learning_rate, now "
                f"{self._params.learning_rate:g}, or set training.gradient_norm to 1"
            )

    def _learn(self, fold: FoldRows, epoch: int, chance: np.random.Generator) -> Figures:
        """Train on every clip once, in random order and view; returns means over clips."""
        loss = accuracy = 0.0
        places, views = draw(len(fold.train), len(self._examples.views), chance)
        for step, batch in enumerate(batches(np.arange(len(places)), self._params.batch_size), start=1):
            rows, seen = fold.train[places[batch]], views[batch]
            figures = self._step(self._examples.features(rows, seen), self._targets(rows, seen))
            self._check({"train_loss": figures[0]}, f"{fold.name}: in step {step} of epoch {epoch}")
            loss, accuracy = loss + figures[0] * len(rows), accuracy + figures[1] * len(rows)
        return {"train_loss": loss / len(places), "train_accuracy": accuracy / len(places)}

    def _targets(self, rows: Rows, views: Rows) -> Scores:
        teacher = None if self._teacher is None else self._teacher[rows, views]
        return distributions(self._examples.truth[rows], len(self._examples.labels), self._params, teacher)

    def _values(self) -> Arrays:
        return [variable.numpy() for variable in self._variables()]

    def _variables(self) -> list[Any]:
        return [*self.network.weights, *self._step.optimizer.variables]

    def _restore(self, fold: FoldRows, checkpoints: Checkpoints) -> tuple[History, Arrays]:
        state = checkpoints.newest()
        values = self._initial if state is None else state.variables
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
        if state is None:
            return History(), self.network.get_weights()
        emit("notice", message=f"{fold.name}: resumes after epoch {state.history.epochs}")
        return state.history, state.best


def draw(clips: int, views: int, chance: np.random.Generator) -> tuple[Rows, Rows]:
    """A random order of the clips, and a random view for each."""
    order = chance.permutation(clips)
    return order, chance.integers(views, size=clips) if views > 1 else np.zeros(clips, np.int64)


def score(
    network: Scorer, examples: Examples, rows: Rows, views: tuple[int, ...], at_once: int = SCORED_AT_ONCE
) -> Scores:
    """Scores of some rows, averaged over views: `(n, classes) float32`; `at_once` clips a batch."""
    total = np.zeros((len(rows), len(examples.labels)), np.float32)
    for view in views:
        parts = [network(examples.features(part, view)) for part in batches(rows, at_once)]
        total += np.concatenate(parts) if parts else 0
    return total / np.float32(len(views))
