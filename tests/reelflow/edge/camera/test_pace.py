"""How old frames are, as stamps and arrival tell: over delays, bursts, jumps and clocks that go wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.edge.camera.pace import AHEAD_S, BEHIND_S, HELD_BACK_S, Pace
from reelflow.errors import ClipError
from tests.slowly import slow

STEP_S = 0.04


def ages(frames):
    """Ages at arrival, and where a new part begins, of frames `(stamp, arrival)`."""
    pace = Pace()
    told = [pace.tell(*frame) for frame in frames]
    return [arrival - one.at_s for (_, arrival), one in zip(frames, told, strict=True)], [
        place for place, one in enumerate(told) if one.begins
    ]


@given(st.lists(st.floats(0, 0.9), min_size=2, max_size=200))
def test_the_age_of_a_frame_is_its_delay_beyond_the_least_so_far(delays):
    found, begins = ages([(n * STEP_S, n * STEP_S + delay) for n, delay in enumerate(delays)])
    assert not begins
    for place, age in enumerate(found):
        assert age == pytest.approx(delays[place] - min(delays[: place + 1]), abs=1e-6)


def test_frames_that_were_held_back_are_old_though_they_arrive_now():
    fluent = [(n * STEP_S, n * STEP_S) for n in range(50)]
    stall_s = 5.0
    held = [(n * STEP_S, 50 * STEP_S + stall_s + (n - 50) * 0.001) for n in range(50, 150)]
    found, begins = ages(fluent + held)
    assert not begins
    assert found[50] == pytest.approx(stall_s)
    assert found[149] == pytest.approx(stall_s + 0.099 - 99 * STEP_S)


@pytest.mark.parametrize("jump_s", [AHEAD_S + 0.1, 3600.0, 3e6])
def test_stamps_that_jump_ahead_begin_a_new_part(jump_s):
    frames = [(n * STEP_S + (jump_s if n >= 50 else 0), n * STEP_S) for n in range(100)]
    found, begins = ages(frames)
    assert begins == [50]
    assert max(found) == pytest.approx(0, abs=1e-6)


def test_stamps_that_stay_behind_are_taken_for_a_jump_in_the_end():
    frames = [(n * STEP_S, n * STEP_S + (60.0 if n >= 50 else 0)) for n in range(1000)]
    found, begins = ages(frames)
    assert len(begins) == 1
    assert frames[begins[0]][1] - frames[50][1] == pytest.approx(HELD_BACK_S, abs=2 * STEP_S)
    assert all(age > BEHIND_S for age in found[50 : begins[0]]), "until then nothing is told as new"
    assert max(found[begins[0] :]) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("share", [0.3, 0.8])
def test_frames_that_come_later_and_later_are_never_taken_for_new_ones(share):
    frames = [(n * STEP_S, n * STEP_S / share) for n in range(3000)]
    with pytest.raises(ClipError, match="delay of frames keeps growing"):
        ages(frames)


@pytest.mark.parametrize("rate", [slow(1.0002), 0.9998])
def test_a_clock_that_drifts_is_followed(rate):
    day = [(n * 0.5 * rate, n * 0.5) for n in range(24 * 7200)]
    found, begins = ages(day)
    assert len(begins) <= 9
    assert max(found) <= BEHIND_S + HELD_BACK_S
