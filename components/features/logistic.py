"""Multinomial logistic regression with an L2 penalty, solved by L-BFGS.

The weights minimise `sum of log losses + penalty / 2 * sum of squared weights`; the bias is free.
Where there are fewer rows than dimensions, it is solved in the space that the rows span: the weights
lie in it, so that nothing is lost.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelflow.nets.ridge import Array, softmax

ABSENT = -50.0  # the bias of a class that no row shows
MOST_ITERATIONS = 500


def fit_path(
    rows: Array, truth: NDArray[np.int64], penalties: Sequence[float], classes: int
) -> list[tuple[Array, Array]]:
    """Solve for every penalty, each beginning where the one before ended.

    Args:
        rows: `(rows, dims)`, centred and of a squared length near 1.
        truth: class index a row; a class that none has gets a score near 0.
        penalties: strongest first.
        classes: how many.

    Returns:
        Weights `(dims, classes)` and bias `(classes,)` for each penalty.
    """
    present, own = np.unique(truth, return_inverse=True)
    basis, coordinates = _span(rows)
    start = np.zeros((coordinates.shape[1] + 1) * len(present))
    solutions = []
    for penalty in penalties:
        start = _minimise(coordinates, own, len(present), penalty, start)
        found = start.astype(np.float32).reshape(-1, len(present))  # (dims + 1, present)
        weights = np.zeros((rows.shape[1], classes), np.float32)
        weights[:, present] = found[:-1] if basis is None else basis @ found[:-1]
        bias = np.full(classes, ABSENT, np.float32)
        bias[present] = found[-1]
        solutions.append((weights, bias))
    return solutions


def _span(rows: Array) -> tuple[Array | None, Array]:
    """An orthonormal basis `(dims, rows)` of the rows' span, and the rows in its coordinates.

    No basis where there are no fewer rows than dimensions.
    """
    if len(rows) >= rows.shape[1]:
        return None, rows
    basis, triangle = np.linalg.qr(rows.T)  # (dims, rows), (rows, rows)
    return basis, np.ascontiguousarray(triangle.T)


def _minimise(
    rows: Array, own: NDArray[np.int64], classes: int, penalty: float, start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The weights, and the bias as their last row, as one flat array."""
    from scipy.optimize import minimize

    places = np.arange(len(rows))

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parts = flat.reshape(-1, classes)  # (dims + 1, classes)
        scores = softmax(rows @ parts[:-1].astype(np.float32) + parts[-1].astype(np.float32))
        loss = -np.log(np.maximum(scores[places, own], np.float32(1e-30))).sum(dtype=np.float64)
        scores[places, own] -= 1  # now the slope of the loss by the logits
        slopes = np.vstack([rows.T @ scores + penalty * parts[:-1], scores.sum(axis=0, dtype=np.float64)])
        total = loss + penalty / 2 * (parts[:-1] ** 2).sum()
        return total / len(rows), slopes.ravel() / len(rows)

    options = {"maxiter": MOST_ITERATIONS, "ftol": 1e-8, "gtol": 1e-5}
    found = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    solution: NDArray[np.float64] = found.x
    return solution
