"""Fits the linear heads by ridge regression on one-hot classes, in closed form.

Summaries are standardised and divided by the root of their length, so that a penalty means the same
whatever the backbone. Penalty and sharpness are chosen by cross-validation over whole groups.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reelflow.errors import DataError
from reelflow.nets.ridge import Array, fit_path, fit_sharpness, log_loss, softmax
from reelflow.params import TrainingParams
from reelflow.workers.cpus import granted_cpus

if TYPE_CHECKING:
    import keras

MOST_FOLDS = 5
SUMMARY = "summary"  # the name of a layer
FARTHEST = 10.0  # standard deviations; values beyond are clipped
COPIES = 3  # of the rows that a fold holds
MOST_COPIED_BYTES = 2 * 2**30
FLOOR = 0.01  # of the mean variance, added to each: a nearly constant dimension carries no information


@dataclass(frozen=True)
class LinearFit:
    """What the choice of the penalty found on the training clips.

    Attributes:
        scores: probabilities `(rows, classes) float32` of the chosen penalty, each row's from the
            model that saw nothing of its group.
        penalty: the chosen one.
        loss: mean log loss of `scores`.
        accuracy: of `scores`.
    """

    scores: Array
    penalty: float
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Standard:
    """What to standardise with, `(dims,) float32` each."""

    mean: Array
    variance: Array

    @classmethod
    def of(cls, rows: Array) -> "Standard":
        """From `(rows, dims)`."""
        variance = rows.var(axis=0)
        return cls(rows.mean(axis=0), variance + np.float32(FLOOR) * variance.mean() + np.float32(1e-12))

    def __call__(self, rows: Array) -> Array:
        """Rows with a mean of 0 and a mean squared length of about 1."""
        result = rows - self.mean
        result /= np.sqrt(self.variance * np.float32(rows.shape[1]))
        return result


def summaries_of(model: "keras.Model", batches: Iterable[Array]) -> Array:
    """What a linear head standardises, `(rows, dims) float32`: no fit changes it.

    Args:
        model: a linear head from `build_head`.
        batches: features `(n, frames, dim) float32`, together all rows in order.
    """
    import keras

    summary = keras.Model(model.input, model.get_layer(SUMMARY).output)
    return np.concatenate([summary(features, training=False).numpy() for features in batches])


def behind_summary(model: "keras.Model") -> "keras.Model":
    """The rest of a linear head, from summaries `(rows, dims) float32` to scores; shares its weights."""
    import keras

    behind: keras.Model = keras.Model(model.get_layer(SUMMARY).output, model.output)
    return behind


def fit_linear(
    model: "keras.Model",
    rows: Array,
    truth: NDArray[np.int64],
    groups: Sequence[str],
    params: TrainingParams,
    seed: int,
) -> LinearFit:
    """Choose the penalty, fit all rows with it, and set the model's weights.

    Args:
        model: an unfitted linear head from `build_head`; changed in place.
        rows: summaries `(rows, dims) float32`, as `summaries_of` computes them.
        truth: class index a row, `(rows,)`.
        groups: group of each row; all views of a clip share its group.
        params: `penalties` to choose from; the one with the lowest loss wins; ties go to the larger.
        seed: of the folds.

    Raises:
        DataError: too few groups to hold any out.
    """
    folds = _folds(truth, np.asarray(groups), seed)
    classes = int(model.output_shape[-1])
    penalties = sorted(set(params.penalties), reverse=True)
    held_out = np.zeros((len(penalties), len(rows), classes), np.float32)
    with _one_thread_each(min(len(folds), MOST_COPIED_BYTES // (COPIES * rows.nbytes))) as pool:
        found = pool.map(lambda fold: _values(rows, truth, fold[0], fold[1], penalties, classes), folds)
        for (_, test), values in zip(folds, found, strict=True):
            held_out[:, test] = values
    sharpness = [np.float32(fit_sharpness(values, truth)) for values in held_out]
    losses = [log_loss(values * sharp, truth) for values, sharp in zip(held_out, sharpness, strict=True)]
    best = int(np.argmin(losses))
    standard = Standard.of(rows)
    weights, bias = fit_path(_ready(rows, standard), truth, penalties[best : best + 1], classes)
    _set_weights(model, standard, weights[:, 0] * sharpness[best], bias * sharpness[best])
    scores = softmax(held_out[best] * sharpness[best])
    accuracy = float((scores.argmax(axis=1) == truth).mean())
    return LinearFit(scores, penalties[best], losses[best], accuracy)


@contextmanager
def _one_thread_each(most: int) -> Iterator[ThreadPoolExecutor]:
    """A thread a CPU, `most` at most; BLAS, whose own threads wait for each other on small folds, has one."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    workers = max(1, min(most, granted_cpus()))
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
        yield pool


def _folds(
    truth: NDArray[np.int64], groups: NDArray[np.str_], seed: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Train and test rows; every row is tested once, with the whole of its group."""
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    found, numbers = np.unique(groups, return_inverse=True)
    pairs = {*zip(truth.tolist(), numbers.tolist(), strict=True)}
    if len(pairs) == len(set(truth.tolist())):
        raise DataError(
            f"every class's training clips come from one group ({len(found)} in all): choosing a penalty "
            "holds out whole groups; add clips of other sources, or train another head"
        )
    count = min(MOST_FOLDS, len(found))
    counts = np.bincount(truth)
    kind = StratifiedGroupKFold if counts[counts > 0].min() >= count else GroupKFold
    splitter = kind(count, shuffle=True, random_state=seed)
    return [
        (train, test) for train, test in splitter.split(numbers, truth, numbers) if len(train) and len(test)
    ]


def _values(
    rows: Array,
    truth: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    penalties: Sequence[float],
    classes: int,
) -> Array:
    """What models of the train rows say of the test rows, `(penalties, test, classes)`."""
    seen = rows[train]
    standard = Standard.of(seen)
    weights, bias = fit_path(_ready(seen, standard), truth[train], penalties, classes)
    found = _ready(rows[test], standard) @ weights.reshape(len(weights), -1)  # (test, penalties * classes)
    return found.reshape(len(test), len(penalties), classes).swapaxes(0, 1) + bias


def _ready(rows: Array, standard: Standard) -> Array:
    """Standardised as the model does it, and divided by the root of their length."""
    farthest = np.float32(FARTHEST / np.sqrt(rows.shape[1]))
    return np.clip(standard(rows), -farthest, farthest)


def _set_weights(model: "keras.Model", standard: Standard, weights: Array, bias: Array) -> None:
    model.get_layer("standardise").set_weights([standard.mean, standard.variance])
    model.get_layer("scores").set_weights([weights / np.sqrt(np.float32(len(weights))), bias])
