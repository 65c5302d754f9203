"""Calibration against values counted by hand, and against scores that were spoilt on purpose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.measures.calibration import (
    HIGHEST,
    LOWEST,
    choose_rejection,
    expected_error,
    fit_temperature,
    reliability_bins,
)
from reelflow.measures.scaling import scale_scores


def binary(best: list[float]) -> np.ndarray:
    """Scores of two classes; the first has the given one."""
    return np.stack([best, 1 - np.array(best)], axis=1).astype(np.float32)


def calibrated(clips: int, classes: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are what they say: the truth is drawn by them."""
    chance = np.random.default_rng(seed)
    scores = chance.dirichlet([0.4] * classes, clips)
    truth = (scores.cumsum(axis=1) < chance.uniform(size=(clips, 1))).sum(axis=1)
    return scores.astype(np.float32), np.minimum(truth, classes - 1)


@pytest.mark.parametrize("spoilt_by", [0.4, 1, 3])
def test_the_temperature_undoes_what_made_scores_too_sure_or_too_modest(spoilt_by):
    scores, truth = calibrated(4000, 5)
    spoilt = scale_scores(scores, 1 / spoilt_by)
    fitted = fit_temperature(spoilt, truth)
    assert fitted == pytest.approx(spoilt_by, rel=0.1)
    held_out, its_truth = calibrated(4000, 5, seed=2)
    held_out = scale_scores(held_out, 1 / spoilt_by)
    error = expected_error(scale_scores(held_out, fitted), its_truth)
    assert error < 0.03
    if spoilt_by != 1:
        assert error < expected_error(held_out, its_truth) / 2


def test_no_temperature_near_the_fitted_one_has_a_lower_loss():
    scores, truth = calibrated(5000, 3, seed=3)
    spoilt = scale_scores(scores, 0.5)
    fitted = fit_temperature(spoilt, truth)

    def loss(temperature: float) -> float:
        right = scale_scores(spoilt, temperature)[np.arange(len(truth)), truth]
        return -np.log(np.maximum(right, 1e-7)).mean()

    assert loss(fitted) < min(loss(fitted * 0.9), loss(fitted * 1.1))


def test_a_few_clips_that_are_all_right_do_not_make_scores_certain():
    scores, truth = binary([0.9, 0.8, 0.95, 0.7] * 3), np.zeros(12, np.int64)
    few = fit_temperature(scores, truth)
    many = fit_temperature(np.tile(scores, (100, 1)), np.tile(truth, 100))
    assert LOWEST < many < few < 1
    assert scale_scores(scores, few).max() < 0.999


@pytest.mark.parametrize(
    ("scores", "truth"),
    [
        (binary([1.0] * 5), [0] * 5),
        (binary([1.0] * 5), [1] * 5),
        (binary([0.5] * 5), [0, 1, 0, 1, 1]),
        (binary([0.6]), [0]),
    ],
)
def test_extreme_scores_end_within_the_bounds(scores, truth):
    assert LOWEST <= fit_temperature(scores, np.array(truth)) <= HIGHEST


def test_sure_and_wrong_ends_at_the_upper_bound():
    assert fit_temperature(binary([1.0] * 50), np.ones(50, np.int64)) == pytest.approx(HIGHEST, rel=1e-3)


def test_without_clips_scores_stay_as_they_are():
    assert fit_temperature(np.empty((0, 2), np.float32), np.empty(0, np.int64)) == 1


def test_the_expected_error_by_hand():
    scores = binary([0.95, 0.95, 0.92, 0.65, 0.65])
    truth = np.array([0, 0, 1, 0, 1])
    # the clips over 0.9: accuracy 2/3 at 0.94; those over 0.6: 1/2 at 0.65
    expected = 3 / 5 * abs(2 / 3 - 0.94) + 2 / 5 * abs(1 / 2 - 0.65)
    assert expected_error(scores, truth) == pytest.approx(expected, abs=1e-6)
    bins = reliability_bins(scores, truth)
    assert [row.clips for row in bins] == [0, 0, 0, 0, 0, 0, 2, 0, 0, 3]
    assert bins[9].confidence == pytest.approx(0.94)
    assert (bins[0].confidence, bins[0].accuracy) == (0, 0)


@given(st.lists(st.tuples(st.floats(0.5, 1), st.booleans()), min_size=1, max_size=60), st.integers(1, 20))
def test_every_clip_stands_in_one_bin_that_holds_its_score(rows, bins):
    scores = binary([best for best, _ in rows])
    truth = np.array([int(wrong) for _, wrong in rows])
    found = reliability_bins(scores, truth, bins)
    assert len(found) == bins
    assert sum(row.clips for row in found) == len(rows)
    for place, row in enumerate(found):
        if row.clips:
            assert place / bins - 1e-6 <= row.confidence <= (place + 1) / bins + 1e-6
    right = (scores.argmax(axis=1) == truth).mean()
    assert sum(row.clips * row.accuracy for row in found) / len(rows) == pytest.approx(right)
    assert 0 <= expected_error(scores, truth, bins) <= 1


def test_the_threshold_is_the_lowest_that_reaches_the_target():
    best = np.linspace(0.99, 0.51, 49)
    truth = np.zeros(49, np.int64)
    truth[[20, 30, 40, 42, 44, 46, 48]] = 1  # by falling score
    threshold, met = choose_rejection(binary(best.tolist()), truth, 0.95)
    assert met
    accepted = best >= threshold
    # the 40 clips over the third wrong one: 38 right
    assert accepted.sum() == 40
    assert best[39] > threshold > best[40]


@given(
    st.lists(st.tuples(st.floats(0.5, 1), st.booleans()), min_size=1, max_size=80),
    st.sampled_from([0.5, 0.8, 0.9, 1.0]),
)
def test_what_the_threshold_promises_holds(rows, target):
    scores = binary([best for best, _ in rows])
    truth = np.array([int(wrong) for _, wrong in rows])
    threshold, met = choose_rejection(scores, truth, target)
    accepted = scores.max(axis=1) >= threshold
    right = scores.argmax(axis=1) == truth
    if met:
        assert right[accepted].mean() >= target
        assert accepted.all() or accepted.sum() >= 10
    else:
        assert threshold == 0
        assert right.mean() < target


def test_nothing_is_rejected_where_all_answers_reach_the_target():
    assert choose_rejection(binary([0.6, 0.7]), np.zeros(2, np.int64), 0.9) == (0, True)


def test_a_handful_of_lucky_clips_sets_no_threshold():
    truth = np.ones(100, np.int64)
    truth[:8] = 0  # the eight surest are right, all others wrong
    assert choose_rejection(binary(np.linspace(0.99, 0.51, 100).tolist()), truth, 0.9) == (0, False)
