"""Scores over time stay few, and stay true."""

import numpy as np
import pytest

from reelflow.edge.curve import POINTS, Curve


def curve_of(samples: int) -> Curve:
    curve = Curve()
    for number in range(samples):
        share = number / max(samples - 1, 1)
        curve.add(float(number), np.array([share, 1 - share], np.float32))
    curve.close()
    return curve


@pytest.mark.parametrize("samples", [1, 2, POINTS - 1, POINTS, POINTS + 1, 20_000])
def test_points_are_few_and_means_of_their_samples(samples: int):
    curve = curve_of(samples)
    assert 1 <= len(curve.times_s) == len(curve.scores) <= POINTS
    assert curve.times_s == sorted(curve.times_s)
    assert curve.times_s[-1] <= samples - 1
    for time_s, scores in zip(curve.times_s, curve.scores, strict=True):
        share = time_s / max(samples - 1, 1)
        np.testing.assert_allclose(scores, [share, 1 - share], atol=1e-6)


def test_few_samples_are_points_themselves():
    assert curve_of(100).times_s == list(range(100))


def test_without_samples_there_are_no_points():
    curve = Curve()
    curve.close()
    assert curve.times_s == []
