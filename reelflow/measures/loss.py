"""The log loss."""

import numpy as np
from numpy.typing import NDArray

from reelflow.measures.scaling import LEAST_SCORE


def log_losses(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Negative logarithm of the true class's score, `(n,)`; the scores are `(n, classes)`."""
    own = scores[np.arange(len(truth)), truth].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.clip(own, LEAST_SCORE, 1))
    return losses


def cross_entropy(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """The mean of `log_losses`."""
    return float(log_losses(scores, truth).mean())
