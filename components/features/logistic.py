"""Multinomial logistic regression with an L2 penalty, as the weights of a softmax layer."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reelflow.nets.ridge import Array

if TYPE_CHECKING:
    from sklearn.linear_model import LogisticRegression

ABSENT = -50.0  # the bias of a class without rows
MOST_ITERATIONS = 500
TOLERANCE = 1e-5  # of the gradient; with scikit-learn's 1e-4 weak penalties stop too early


def fit_path(
    rows: Array, truth: NDArray[np.int64], penalties: Sequence[float], classes: int
) -> list[tuple[Array, Array]]:
    """Fit one model for each penalty; each starts from the solution before.

    The weights minimise `sum of log losses + penalty / 2 * sum of squared weights`; the bias is free.

    Args:
        rows: `(rows, dims)`, centred, with a squared length near 1.
        truth: class index of each row, at least two different ones; a class without rows gets a score near 0.
        penalties: strongest first.
        classes: number of classes.

    Returns:
        Weights `(dims, classes)` and bias `(classes,)` for each penalty.
    """
    from sklearn.linear_model import LogisticRegression

    is_binary = len(np.unique(truth)) == 2
    model = LogisticRegression(tol=TOLERANCE, max_iter=MOST_ITERATIONS, warm_start=True)
    solutions = []
    for penalty in penalties:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="lbfgs failed to converge")  # selected by validation
            model.set_params(C=(2 if is_binary else 1) / penalty).fit(rows, truth)
        solutions.append(_softmax_layer(model, classes))
    return solutions


def _softmax_layer(model: "LogisticRegression", classes: int) -> tuple[Array, Array]:
    """Weights and bias; for two classes scikit-learn has one column, the difference."""
    found, offset = model.coef_.T, model.intercept_  # (dims, present), (present,)
    if len(model.classes_) == 2:
        found, offset = np.hstack([-found, found]) / 2, np.array([-1, 1]) * offset / 2
    weights, bias = np.zeros((len(found), classes), np.float32), np.full(classes, ABSENT, np.float32)
    weights[:, model.classes_], bias[model.classes_] = found, offset
    return weights, bias
