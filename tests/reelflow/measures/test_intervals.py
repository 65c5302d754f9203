"""Intervals: how often they hold the truth, on simulated clips whose groups are alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.evaluation import measures
from reelflow.measures.intervals import (
    f1_interval,
    group_interval,
    paired_interval,
    single_group,
    wilson,
)

HOW = {"resamples": 400, "seed": 1}


def simulate(seed: int, groups: int, each: int) -> tuple[np.ndarray, list[str]]:
    """Clips that are right with a probability which their group draws around 0.7."""
    chance = np.random.default_rng(seed)
    probability = chance.beta(0.7 * 3, 0.3 * 3, groups).repeat(each)
    return chance.uniform(size=groups * each) < probability, [f"g{n}" for n in np.arange(groups).repeat(each)]


def coverage(groups: int, each: int, by_clip: bool, trials: int = 400) -> float:
    """How often the interval holds 0.7."""
    held = 0
    for seed in range(trials):
        right, names = simulate(seed, groups, each)
        names = [str(place) for place in range(len(right))] if by_clip else names
        found = group_interval(right, names, **HOW)
        held += found.low <= 0.7 <= found.high
    return held / trials


@pytest.mark.parametrize("groups", [8, 40])
def test_groups_hold_the_truth_19_times_in_20_and_clips_do_not(groups):
    assert 0.91 <= coverage(groups, 12, by_clip=False) <= 0.985
    assert coverage(groups, 12, by_clip=True) < 0.80


def test_a_difference_is_held_19_times_in_20():
    held = 0
    for seed in range(300):
        right_a, names = simulate(seed, 25, 8)
        right_b, _ = simulate(seed + 10_000, 25, 8)
        found = paired_interval(right_a, right_b, names, **HOW)
        held += found.low <= 0 <= found.high
    assert 0.91 <= held / 300 <= 0.985


def test_a_pair_that_errs_together_has_a_narrower_interval_than_two_strangers():
    right, names = simulate(1, 30, 10)
    better = right | (np.arange(300) % 20 == 0)
    stranger = np.random.default_rng(2).permutation(better)
    together = paired_interval(better, right, names, **HOW)
    apart = paired_interval(stranger, right, names, **HOW)
    assert together.high - together.low < (apart.high - apart.low) / 3
    assert together.low > 0


def test_the_same_seed_gives_the_same_interval_and_others_nearly_the_same():
    right, names = simulate(1, 20, 11)
    one = group_interval(right, names, resamples=2001, seed=1)
    assert one == group_interval(right, names, resamples=2001, seed=1)
    other = group_interval(right, names, resamples=2000, seed=2)
    assert one != other
    assert abs(one.low - other.low) < 0.03


def test_the_order_of_clips_and_the_names_of_groups_do_not_matter():
    right, names = simulate(1, 20, 10)
    order = np.random.default_rng(1).permutation(len(right))
    shuffled = group_interval(right[order], [names[place] for place in order], **HOW)
    assert shuffled == group_interval(right, names, **HOW)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=1, max_size=40))
def test_an_interval_is_ordered_and_within_bounds(rows):
    right = np.array([found for found, _ in rows])
    groups = [f"g{number}" for _, number in rows]
    found = group_interval(right, groups, resamples=100, seed=1)
    assert 0 <= found.low < found.high <= 1
    mirrored = paired_interval(right, ~right, groups, resamples=100, seed=1)
    assert -1 <= mirrored.low <= mirrored.high <= 1


def test_one_group_falls_back_to_its_clips():
    right, _ = simulate(1, 1, 200)
    one = group_interval(right, ["same"] * 200, resamples=4000, seed=1)
    expected = wilson(right.mean(), 200)
    assert single_group(["same"] * 200)
    assert (one.low, one.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def test_a_clip_set_that_is_all_right_is_as_sure_as_its_groups_are_many():
    right = np.ones(400, bool)
    few = group_interval(right, [f"g{n % 5}" for n in range(400)], **HOW)
    many = group_interval(right, [f"g{n % 100}" for n in range(400)], **HOW)
    assert few.high == many.high == 1
    assert few == wilson(1, 5)
    assert few.low < 0.6 < 0.95 < many.low


def test_groups_that_are_all_half_right_draw_half_right_clips():
    """Three draws, 1.5 of them right: SciPy's `binomtest` counts whole successes only."""
    found = group_interval(np.arange(6) % 2 == 0, ["a", "a", "b", "b", "c", "c"], **HOW)
    assert found == wilson(0.5, 3)
    assert found.low + found.high == pytest.approx(1)


def test_wilson_by_hand():
    found = wilson(0.8, 10)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Brown et al., 2001


def test_two_that_never_differ_have_a_difference_of_exactly_nothing():
    right, names = simulate(1, 10, 10)
    found = paired_interval(right, right, names, **HOW)
    assert (found.low, found.high) == (0, 0)


def test_the_interval_of_macro_f1_surrounds_it():
    chance = np.random.default_rng(1)
    truth = chance.integers(0, 4, 300)
    predicted = np.where(chance.uniform(size=300) < 0.7, truth, chance.integers(0, 4, 300))
    groups = [f"g{n % 30}" for n in range(300)]
    found = f1_interval(predicted, truth, 5, groups, resamples=2000, seed=1)  # the fifth class never is
    macro, _ = measures.averages(np.eye(5, dtype=np.float32)[predicted], truth)
    assert found.low < macro.f1 < found.high
    assert found.high - found.low < 0.2


def test_the_macro_f1_of_two_groups_drawn_by_hand():
    # each group has one class: a resample of one group lacks the other class
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1])
    found = f1_interval(predicted, truth, 2, ["a", "a", "b", "b"], resamples=500, seed=1)
    # a a: 1; b b: class 0 was predicted and never right, class 1 has 2/3: mean 1/3
    assert (found.low, found.high) == pytest.approx((1 / 3, 1))


def test_a_perfect_macro_f1_is_no_certainty():
    truth = np.arange(40) % 2
    found = f1_interval(truth, truth, 2, [f"g{n // 4}" for n in range(40)], **HOW)
    assert (found.low, found.high) == pytest.approx((wilson(1, 10).low, 1))


def test_thousands_of_groups_and_resamples_fit_into_memory():
    right = np.random.default_rng(1).uniform(size=5000) < 0.8
    found = group_interval(right, [str(n) for n in range(5000)], resamples=2000, seed=1)
    expected = wilson(right.mean(), 5000)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.003)
