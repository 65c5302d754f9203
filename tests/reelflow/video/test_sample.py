"""Uniformly spread frames: centres of equal segments."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.video.sample import shown_indices, uniform_indices

numbers = st.integers(1, 3000)


@given(numbers, numbers)
def test_each_index_is_the_frame_at_its_segment_s_centre(total, count):
    indices = uniform_indices(total, count)
    assert indices == tuple((i + Fraction(1, 2)) * total // count for i in range(count))
    assert all(0 <= index < total for index in indices)
    assert list(indices) == sorted(indices)


@given(numbers)
def test_as_many_frames_as_there_are_takes_each_once(total):
    assert uniform_indices(total, total) == tuple(range(total))


@given(st.integers(0, 1500), st.integers(0, 1500))
def test_an_odd_clip_backwards_gives_the_same_frames_backwards(half_total, half_count):
    total, count = 2 * half_total + 1, 2 * half_count + 1
    indices = uniform_indices(total, count)
    assert [total - 1 - index for index in reversed(indices)] == list(indices)


def test_one_frame_is_the_middle_one():
    assert uniform_indices(7, 1) == (3,)


@pytest.mark.parametrize(("total", "count"), [(0, 5), (5, 0), (-1, 5)])
def test_nothing_to_choose_is_an_error(total, count):
    with pytest.raises(ValueError, match="at least 1"):
        uniform_indices(total, count)


@given(st.integers(2, 300), st.integers(1, 300), st.sampled_from([25, 30, Fraction(30000, 1001), 50]))
def test_at_a_constant_rate_the_frames_shown_are_the_uniform_ones_but_for_rounding(total, count, fps):
    times_s = [index / Fraction(fps) for index in range(total)]
    found = shown_indices(times_s, total / Fraction(fps), count)
    assert all(0 <= a - b <= 1 for a, b in zip(found, uniform_indices(total, count), strict=True))
    assert shown_indices(times_s, total / Fraction(fps), total) == uniform_indices(total, total)


def test_a_frame_that_stays_is_shown_at_every_moment_of_its_stay():
    times_s = [Fraction(time) for time in (0, 1, 1, 8, 9)]
    assert shown_indices(times_s, Fraction(10), 5) == (2, 2, 2, 2, 4)
