"""Calibration of scores, and the threshold below which an answer is rejected."""

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import Bin
from reelflow.measures.scaling import log_scores

LOWEST, HIGHEST = 0.05, 20.0  # temperatures
TOLERANCE = 1e-5  # of the temperature's logarithm
LEAST_CLIPS, LEAST_FRACTION = 10, 0.1  # minimum of accepted clips for a meaningful accuracy


def fit_temperature(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Find the temperature with the lowest log loss.

    Each clip counts as its class but for a share of 1 / (n + 2), which is spread over all classes.
    The share vanishes as clips grow in number; on a few clips that are all right it keeps the
    temperature from going to 0 (Platt, 1999).

    Args:
        scores: probabilities `(n, classes)` of clips that the model was not trained on.
        truth: class index of each clip, `(n,)`.

    Returns:
        From 0.05 to 20; 1 without clips.
    """
    from scipy.optimize import minimize_scalar

    if not len(truth):
        return 1.0
    logarithms = log_scores(scores)
    share = 1 / (len(truth) + 2)
    own = logarithms[np.arange(len(truth)), truth]
    expected = ((1 - share) * own + share * logarithms.mean(axis=1)).mean()
    centred = logarithms - logarithms.max(axis=1, keepdims=True)
    best = logarithms.max(axis=1).mean()

    def loss(log_temperature: float) -> float:
        sharpness = np.exp(-log_temperature)
        norm = np.log(np.exp(centred * sharpness).sum(axis=1)).mean() + best * sharpness
        return float(norm - expected * sharpness)

    bounds = (np.log(LOWEST), np.log(HIGHEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": TOLERANCE})
    return float(np.exp(found.x))


def expected_error(scores: NDArray[np.float32], truth: NDArray[np.int64], bins: int = 10) -> float:
    """Expected calibration error: the difference between best score and accuracy, averaged over clips."""
    rows = reliability_bins(scores, truth, bins)
    return sum(row.clips * abs(row.confidence - row.accuracy) for row in rows) / max(len(truth), 1)


def reliability_bins(
    scores: NDArray[np.float32], truth: NDArray[np.int64], bins: int = 10
) -> tuple[Bin, ...]:
    """Clips by their best score, in equal ranges from 0 to 1; empty ones have zeros.

    Args:
        scores: probabilities `(n, classes)`.
        truth: class index of each clip, `(n,)`.
        bins: number of bins.
    """
    best, right = best_scores(scores), scores.argmax(axis=1) == truth
    places = np.minimum((best * bins).astype(np.int64), bins - 1)
    return tuple(_bin(best[places == place], right[places == place]) for place in range(bins))


def choose_rejection(
    scores: NDArray[np.float32], truth: NDArray[np.int64], target: float
) -> tuple[float, bool]:
    """Find the lowest threshold on the best score over which answers reach an accuracy.

    It is midway between the scores of two clips, so that rounding on the device changes no answer. At
    least ten clips and a tenth of all must be accepted. If no threshold reaches the target, nothing is
    rejected: such a threshold would be misleading.

    Args:
        scores: probabilities `(n, classes)`, scaled as on the device.
        truth: class index of each clip, `(n,)`.
        target: accuracy asked of the accepted clips.

    Returns:
        The threshold, 0 if nothing is to be rejected; and whether the target is met.
    """
    right = scores.argmax(axis=1) == truth
    if len(truth) and right.mean() >= target:
        return 0.0, True
    best = best_scores(scores)
    order = np.argsort(-best, kind="stable")
    falling = best[order]
    accuracy = np.cumsum(right[order]) / np.arange(1, len(truth) + 1)  # of the clips up to here
    least = max(LEAST_CLIPS, LEAST_FRACTION * len(truth))
    for last in range(len(truth) - 2, -1, -1):
        if last + 1 >= least and falling[last] > falling[last + 1] and accuracy[last] >= target:
            return float((falling[last] + falling[last + 1]) / 2), True
    return 0.0, False


def best_scores(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """The highest score of each clip, `(n,)`."""
    best: NDArray[np.float64] = scores.max(axis=1).astype(np.float64)
    return best


def _bin(best: NDArray[np.float64], right: NDArray[np.bool_]) -> Bin:
    if not len(best):
        return Bin(clips=0, confidence=0.0, accuracy=0.0)
    return Bin(clips=len(best), confidence=float(best.mean()), accuracy=float(right.mean()))
