"""McNemar's test against textbooks."""

from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.contracts import Interval
from reelflow.measures.comparison import is_clearly_better, mcnemar


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [
        (0, 0, 1),
        (0, 5, 2 / 32),
        (1, 6, 2 * (1 + 7) / 128),
        (5, 5, 1),
        (6, 16, 0.0524783),  # 2 * P(X <= 6), 22 fair draws
        (86, 150, 3.7156e-05),  # Agresti, Categorical Data Analysis: approval ratings, z of 4.17
    ],
)
def test_known_values(only_a, only_b, expected):
    assert mcnemar(only_a, only_b) == pytest.approx(expected, rel=1e-3)
    assert mcnemar(only_b, only_a) == mcnemar(only_a, only_b)


@given(st.integers(0, 40), st.integers(0, 40))
def test_it_is_the_exact_sum(only_a, only_b):
    total = only_a + only_b
    tail = sum(comb(total, hits) for hits in range(min(only_a, only_b) + 1))
    assert mcnemar(only_a, only_b) == pytest.approx(min(1, 2 * tail / 2**total))


def test_large_numbers():
    assert 0 < mcnemar(499_000, 501_000) < 0.05
    assert mcnemar(500_000, 500_000) == 1
    assert mcnemar(0, 1_000_000) == 0


@pytest.mark.parametrize(
    ("low", "p_value", "expected"),
    [(0.02, 0.01, True), (0.02, 0.2, False), (-0.02, 0.01, False), (0.0, 0.01, False)],
)
def test_better_is_what_both_interval_and_test_say(low, p_value, expected):
    assert is_clearly_better(Interval(low=low, high=0.3), p_value) is expected
