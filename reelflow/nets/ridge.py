"""Ridge regression on one-hot classes (a least-squares support vector machine), in closed form.

The weights minimise `sum of squared errors + penalty * sum of squared weights`; the bias is free. On
few clips with many dimensions it is as good as logistic regression, exact, and many times faster. What
it says of a class are values near 0 and 1; a sharpness, fitted on held-out rows, makes probabilities
of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SHARPEST = 1000.0


def fit_path(
    rows: Array, truth: NDArray[np.int64], penalties: Sequence[float], classes: int
) -> tuple[Array, Array]:
    """Solve for every penalty.

    Args:
        rows: `(rows, dims)`, centred.
        truth: class index a row; a class that no row has gets the value 0 everywhere.
        penalties: to solve for.
        classes: how many.

    Returns:
        Weights `(dims, penalties, classes)`, and the bias `(classes,)` of all.
    """
    from scipy.linalg import cho_factor, cho_solve

    wanted = np.eye(classes, dtype=np.float32)[truth]  # (rows, classes)
    bias = wanted.mean(axis=0)
    wide = len(rows) < rows.shape[1]  # then the weights are a mixture of the rows
    gram = (rows @ rows.T if wide else rows.T @ rows).astype(np.float64)
    target = wanted - bias if wide else rows.T @ (wanted - bias)
    least = 1e-7 * max(float(np.trace(gram)), 1.0)  # for what float32 leaves of a singular matrix
    found = np.empty((len(gram), len(penalties), classes), np.float32)
    for place, penalty in enumerate(penalties):
        ridged = gram.copy()
        ridged[np.diag_indices_from(ridged)] += max(penalty, least)
        found[:, place] = cho_solve(cho_factor(ridged, overwrite_a=True), target)
    if wide:  # (dims, rows) @ (rows, penalties * classes) -> (dims, penalties, classes)
        found = (rows.T @ found.reshape(len(rows), -1)).reshape(-1, len(penalties), classes)
    return found, bias


def softmax(values: Array) -> Array:
    """Scores that sum to 1, a row each."""
    result: Array = np.exp(values - values.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


def log_loss(values: Array, truth: NDArray[np.int64]) -> float:
    """Mean log loss of `softmax(values)`, `(rows, classes)`."""
    best = values.max(axis=-1)
    total = np.log(np.exp(values - best[:, None]).sum(axis=-1, dtype=np.float64))
    return float((total + best - values[np.arange(len(truth)), truth]).mean())


def fit_sharpness(values: Array, truth: NDArray[np.int64]) -> float:
    """The factor, from 1 to 1000, with which `softmax(factor * values)` has the lowest log loss.

    One row in all counts as wrong (Platt 1999), or rows that are all right would ask for certainty.
    """
    from scipy.optimize import minimize_scalar

    doubt = 1 / (len(truth) + 1)
    regret = (values[np.arange(len(truth)), truth] - values.mean(axis=1)).mean(dtype=np.float64)

    def loss(logarithm: float) -> float:
        factor = float(np.exp(logarithm))
        return log_loss(values * np.float32(factor), truth) + doubt * factor * float(regret)

    found = minimize_scalar(loss, bounds=(0.0, np.log(SHARPEST)), method="bounded")
    return float(np.exp(found.x))
