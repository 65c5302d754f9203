"""Trains by epochs; each depends only on the seed, the fold number and the epoch number."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.training.folds import FoldRows
from components.training.history import Figures, History
from components.training.learners.checkpoint import Arrays, Checkpoints, Running, State, packed, unpacked
from components.training.learners.fold_results import EpochProgress, FoldResult
from components.training.learners.graph import Scorer, Stepper, scorer
from components.training.learners.objective import Scores, distributions, measure
from components.training.learners.team import ALONE, Team
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples, Rows, batches
from reelflow.nets.runtime import reseed, set_apart
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
        team: the workers that train together; all have the same figures, and stop at the same epoch.
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
        team: Team = ALONE,
    ) -> None:
        self.network, self._examples, self._params = network, examples, params
        self._views, self._teacher, self._folder, self._progress = views, teacher, folder, progress
        self._team, self._scorer = team, scorer(network)
        self._step = Stepper(network, params, is_taught=teacher is not None, team=team)
        self._scored_at_once = scored_at_once(network.name, params)
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
        """Scores of some rows, averaged over views: `(n, classes) float32`; each worker scores its part."""
        own = self._team.part(len(rows))
        found = np.zeros((len(rows), len(self._examples.labels)), np.float32)
        found[own] = score(self._scorer, self._examples, rows[own], self._views, at_once=self._scored_at_once)
        return self._team.joined(found)

    def _train(self, fold: FoldRows, epochs: int) -> History:
        """Resume from the newest checkpoint; afterwards the network has the best weights."""
        self._check_parts(fold)
        checkpoints = Checkpoints(self._folder / str(fold.number), self._params.checkpoint_every_s)
        state, is_validated = self._restore(fold, checkpoints), len(fold.validation) > 0
        history = state.history
        self._progress.tell(history.epochs, epochs)
        while history.epochs < epochs and not (is_validated and history.is_stalled(self._params.patience)):
            started = time.perf_counter()
            figures = self._epoch(fold, state, checkpoints)
            history.rows.append(figures)
            state.running = Running()
            if is_validated and history.best_epoch == history.epochs:
                state.best = self.network.get_weights()
            self._keep(state, checkpoints)
            pace = {"learning_rate": self._step.learning_rate, "seconds": time.perf_counter() - started}
            told = {"head": self.network.name, "fold": fold.name, "epoch": history.epochs}
            emit("epoch", **told, **figures, **pace)
            self._progress.tell(history.epochs, epochs)
        self._progress.finish(history.epochs)
        if is_validated:
            self.network.set_weights(state.best)
        return history

    def _check_parts(self, fold: FoldRows) -> None:
        """Kernels of convolutions fail on an empty part: each worker gets a clip of every batch."""
        least = min(map(len, batches(fold.train, self._params.batch_size)))
        if least < self._team.size:
            raise ParamsError(
                f"{fold.name}: training.workers is {self._team.size}, and a batch has {least} clips: "
                f"set it to {least} at most, or use a larger training.batch_size"
            )

    def _epoch(self, fold: FoldRows, state: State, checkpoints: Checkpoints) -> Figures:
        """Train on the clips that the epoch has left; returns means over all of its clips."""
        epoch = state.history.epochs + 1
        seed = fold.seed(self._params.seed, epoch)
        if not state.running.steps:
            reseed(self.network, *seed)
            set_apart(self.network, self._team.rank)
        figures = self._learn(fold, state, np.random.default_rng(seed), checkpoints)
        if len(fold.validation):
            scores = self.score(fold.validation)
            loss, accuracy = measure(scores, self._examples.truth[fold.validation])
            figures |= {"validation_loss": loss, "validation_accuracy": accuracy}
        self._check(figures, f"{fold.name}: after epoch {epoch}")
        return figures

    def _keep(self, state: State, checkpoints: Checkpoints) -> None:
        if self._team.is_chief and checkpoints.due:
            checkpoints.save(state, self._values())

    def _check(self, figures: Figures, where: str) -> None:
        if not all(map(math.isfinite, figures.values())):
            raise ParamsError(
                f"{where} the loss is NaN or infinite: lower training.learning_rate, now "
                f"{self._params.learning_rate:g}, or set training.gradient_norm to 1"
            )

    def _learn(
        self, fold: FoldRows, state: State, chance: np.random.Generator, checkpoints: Checkpoints
    ) -> Figures:
        """Train on every clip once, in random order and view; steps that are done are left out."""
        places, views = draw(len(fold.train), len(self._examples.views), chance)
        for batch in batches(np.arange(len(places)), self._params.batch_size)[state.running.steps :]:
            own = batch[self._team.part(len(batch))]
            rows, seen = fold.train[places[own]], views[own]
            features, targets = self._examples.features(rows, seen), self._targets(rows, seen)
            figures = self._step(features, targets, clips=len(batch))
            state.running = state.running.after(*figures, clips=len(batch))
            where = f"in step {state.running.steps} of epoch {state.history.epochs + 1}"
            self._check({"train_loss": figures[0]}, f"{fold.name}: {where}")
            self._keep(state, checkpoints)
        return state.running.means(len(places))

    def _targets(self, rows: Rows, views: Rows) -> Scores:
        teacher = None if self._teacher is None else self._teacher[rows, views]
        return distributions(self._examples.truth[rows], len(self._examples.labels), self._params, teacher)

    def _values(self) -> Arrays:
        return [variable.numpy() for variable in self._variables()]

    def _variables(self) -> list[Any]:
        return [*self.network.variables, *self._step.optimizer.variables]

    def _restore(self, fold: FoldRows, checkpoints: Checkpoints) -> State:
        """Put all variables into the state of the chief's newest checkpoint, or of the start."""
        found = checkpoints.newest() if self._team.is_chief else None
        if self._team.size > 1:
            found = unpacked(self._team.of_chief(packed(found or (State(), self._initial))))
        state, values = found or (State(), self._initial)
        for variable, value in zip(self._variables(), values, strict=True):
            variable.assign(value)
        set_apart(self.network, self._team.rank)
        if state.history.epochs or state.running.steps:
            done = f"after step {state.running.steps} of epoch {state.history.epochs + 1}"
            emit("notice", message=f"{fold.name}: resumes {done}")
        return state


def scored_at_once(head: str, params: TrainingParams) -> int:
    """Clips of a batch that is scored: of networks over pixels no more than of one that is trained on."""
    return params.batch_size if is_video_network(head) else SCORED_AT_ONCE


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
