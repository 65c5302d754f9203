"""Temperatures keep probabilities probabilities, and the best class the best."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reelflow.measures.scaling import scale_scores

PARTS = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 6)), elements=st.floats(0, 1))


@given(PARTS, st.floats(0.05, 100))
def test_scaled_scores_are_probabilities_with_the_same_best_class(parts, temperature):
    parts[:, 0] += 1.1
    scores = (parts / parts.sum(axis=1, keepdims=True)).astype(np.float32)
    scaled = scale_scores(scores, temperature)
    assert scaled.dtype == np.float32
    assert scaled.shape == scores.shape
    np.testing.assert_allclose(scaled.sum(axis=1), 1, atol=1e-5)
    assert (scaled[:, 0] == scaled.max(axis=1)).all()


def test_a_power_by_hand():
    scores = np.array([[0.9, 0.1], [0.5, 0.5], [1, 0]], np.float32)
    np.testing.assert_allclose(scale_scores(scores, 1), scores, atol=1e-6)
    np.testing.assert_allclose(scale_scores(scores, 2)[0], [0.75, 0.25], atol=1e-6)  # 3 to 1
    np.testing.assert_allclose(scale_scores(scores, 0.5)[0], [81 / 82, 1 / 82], atol=1e-6)


@pytest.mark.parametrize("temperature", [1e-3, 1e3])
def test_certain_scores_survive_any_temperature(temperature):
    scores = np.array([[1, 0, 0], [0, 0.5, 0.5]], np.float32)
    scaled = scale_scores(scores, temperature)
    assert np.isfinite(scaled).all()
    assert scaled[0, 0] >= scaled[0, 1]


def test_a_device_can_import_it():
    code = (
        "import reelflow.measures.scaling, sys; "
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'scipy', 'sklearn', 'matplotlib'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
