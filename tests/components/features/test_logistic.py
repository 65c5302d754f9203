"""Logistic regression agrees with scikit-learn's, wide or tall."""

import numpy as np
import pytest

from components.features.logistic import fit_path
from reelflow.nets.ridge import softmax
from tests.reelflow.nets.test_ridge import made_up


@pytest.mark.parametrize(("rows", "dims", "classes"), [(40, 200, 2), (40, 200, 4), (200, 20, 5)])
def test_scores_are_those_of_scikit_learn(rows, dims, classes):
    from sklearn.linear_model import LogisticRegression

    values, truth = made_up(rows, dims, classes)
    values /= np.sqrt(np.float32(dims))
    penalties = (10.0, 1.0, 0.1)
    for penalty, (weights, bias) in zip(penalties, fit_path(values, truth, penalties, classes), strict=True):
        strength = (1 if classes > 2 else 2) / penalty  # of two classes scikit-learn keeps one weight
        expected = LogisticRegression(C=strength, max_iter=2000, tol=1e-7).fit(values, truth)
        np.testing.assert_allclose(
            softmax(values @ weights + bias), expected.predict_proba(values), atol=3e-3
        )


def test_a_class_without_rows_gets_no_score():
    values, truth = made_up(20, 50, 2)
    ((weights, bias),) = fit_path(values, truth, [1.0], 3)
    assert softmax(values @ weights + bias)[:, 2].max() < 1e-12
