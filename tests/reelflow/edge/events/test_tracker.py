"""Events: hysteresis, least durations, one id, and ends whose reasons are told."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.contracts import UNSURE
from reelflow.edge.events.tracker import EventRules, EventTracker

RULES = EventRules(on=0.6, off=0.4, least_s=2.0, update_s=5.0)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tracker(rules=RULES, now=lambda: NOON):
    return EventTracker("door", "thumbnail-gru", rules, now)


def follow(scores, rules=RULES, hop_s=1.0):
    """Every message for scores of "fall", a hop apart."""
    found = tracker(rules)
    return [
        event
        for n, score in enumerate(scores)
        for event in found.answer(n * hop_s, {"fall": score, "walk": 1 - score})
    ]


def told(events):
    return [(event.phase, event.label) for event in events]


def test_a_state_starts_when_it_has_held_for_long_enough():
    events = follow([0.9] * 4)
    assert told(events) == [("start", "fall")]
    assert (events[0].duration_s, events[0].began_at) == (2.0, "2026-01-01T11:59:58.000+00:00")


def test_a_short_look_at_another_class_changes_nothing():
    assert told(follow([0.9, 0.9, 0.9, 0.1, 0.9, 0.1, 0.9])) == [("start", "fall")]


def test_between_on_and_off_the_event_goes_on():
    assert told(follow([0.9] * 3 + [0.5] * 6)) == [("start", "fall"), ("update", "fall")]


def test_another_class_ends_it():
    events = follow([0.9] * 3 + [0.1] * 3)
    assert told(events) == [("start", "fall"), ("end", "fall"), ("start", "walk")]
    assert events[1].reason == "other"
    assert events[0].id == events[1].id != events[2].id


def test_unsure_is_a_state_of_its_own():
    found = tracker()
    events = [event for n in range(4) for event in found.answer(n, {"fall": 0.35, "walk": 0.35, "run": 0.3})]
    assert told(events) == [("start", UNSURE)]
    assert events[0].score == 0.35


def test_an_event_that_is_lost_says_so_and_the_next_has_another_id():
    found = tracker()
    first = [event for n in range(4) for event in found.answer(n, {"fall": 0.9, "walk": 0.1})]
    (end,) = found.end(4.5, "source")
    assert (end.id, end.reason, end.duration_s) == (first[0].id, "source", 4.5)
    assert list(found.end(5.0, "source")) == []
    again = [event for n in range(6, 10) for event in found.answer(n, {"fall": 0.9, "walk": 0.1})]
    assert told(again) == [("start", "fall")]
    assert again[0].id != end.id


def test_a_device_whose_clock_is_set_back_a_year_tells_true_durations():
    moments = iter([NOON + timedelta(seconds=n) for n in range(2)] + [NOON - timedelta(days=365)] * 99)
    found = tracker(now=lambda: next(moments))
    events = [event for n in range(20) for event in found.answer(n, {"fall": 0.9, "walk": 0.1})]
    assert [event.duration_s for event in events] == sorted(event.duration_s for event in events)
    assert told(events) == [("start", "fall"), *[("update", "fall")] * 3]


@given(st.lists(st.floats(0, 1), max_size=60), st.floats(0.5, 0.9), st.floats(0.1, 1.0), st.floats(0, 5))
def test_events_come_one_after_the_other_start_update_end(scores, on, share, least_s):
    events = follow(scores, EventRules(on, on * share, least_s, 3.0))
    phases = {}
    for event in events:
        phases.setdefault(event.id, []).append(event.phase)
    for told_of_one in phases.values():
        assert told_of_one[0] == "start"
        assert set(told_of_one[1:-1]) <= {"update"}
        assert told_of_one.count("end") <= 1
    for one, following in pairwise(events):
        if one.id != following.id:
            assert (one.phase, following.phase) == ("end", "start")
            assert one.label != following.label


@pytest.mark.parametrize("reason", ["stopped", "bundle"])
def test_the_end_has_the_mean_and_the_best_score(reason):
    found = tracker()
    for n, score in enumerate([0.8, 0.8, 0.8, 1.0]):
        list(found.answer(n, {"fall": score, "walk": 1 - score}))
    (end,) = found.end(4, reason)
    assert (end.score, end.best_score, end.reason) == (0.9, 1.0, reason)
