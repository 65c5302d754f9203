"""Uniformly spread frames: centres of equal segments."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.video.sample import uniform_indices

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
