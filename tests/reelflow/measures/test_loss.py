"""The loss against logarithms taken by hand."""

import numpy as np
import pytest

from reelflow.measures.loss import cross_entropy, log_losses

TRUTH = np.array([0, 0, 1])
SCORES = np.array([[0.7, 0.3], [0.5, 0.5], [0.2, 0.8]], dtype=np.float32)


def test_a_clip_costs_the_negative_logarithm_of_its_own_score():
    assert log_losses(SCORES, TRUTH) == pytest.approx(-np.log([0.7, 0.5, 0.8]), rel=1e-6)
    assert cross_entropy(SCORES, TRUTH) == pytest.approx(-np.log([0.7, 0.5, 0.8]).mean(), rel=1e-6)


def test_sure_and_wrong_is_finite():
    assert cross_entropy(np.array([[1, 0]], np.float32), np.array([1])) == pytest.approx(-np.log(1e-7))
