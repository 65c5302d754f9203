"""Temperature scaling, after Guo et al., On Calibration of Modern Neural Networks, ICML 2017.

The device applies it too, so it needs numpy only.
"""

import numpy as np
from numpy.typing import NDArray

LEAST_SCORE = 1e-7  # lower bound of a score: a zero stays zero at any temperature


def scale_scores(scores: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Raise probabilities to the power of `1 / temperature` and normalise them.

    Above 1 the scores become more even, below 1 more distinct; their order is unchanged.

    Args:
        scores: probabilities `(n, classes)`.
        temperature: above 0; 1 changes nothing.

    Returns:
        Probabilities `(n, classes) float32`.
    """
    logarithms = log_scores(scores) / temperature
    powers = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    scaled: NDArray[np.float32] = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    return scaled


def log_scores(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Finite logarithms of probabilities, of the same shape."""
    logarithms: NDArray[np.float64] = np.log(np.maximum(scores.astype(np.float64), LEAST_SCORE))
    return logarithms
