"""What is known of a source grows old: nothing of the past is told as if it were of now."""

from itertools import pairwise

from reelflow.edge.serve.board import EVENTS, LEAST_STALE_S, STRIP_S
from reelflow.edge.serve.telling import health, page_state
from tests.reelflow.edge.serve.asgi_client import SetClock, a_board, a_picture
from tests.sink_messages import event, reading, source


def a_watched_board(clock):
    board = a_board(clock)
    board.send(source("connected"))
    board.show(a_picture(clock.now_s))
    board.send(reading())
    return board


def test_a_source_that_is_watched_is_healthy():
    found = health(a_watched_board(SetClock()).snapshot())
    assert (found.status, found.reason, found.frames) == ("ok", "", 1)
    assert (found.frame_age_s, found.answer_age_s) == (0.0, 0.1)


def test_health_before_the_first_frame():
    board = a_board()
    assert health(board.snapshot()).status == "starting"
    board.send(source("connected"))
    assert health(board.snapshot()).status == "starting"


def test_a_frame_that_is_too_old_is_unhealthy_before_the_source_is_given_up():
    clock = SetClock()
    board = a_watched_board(clock)
    clock.now_s += 10.5
    found = health(board.snapshot())
    assert (found.status, found.reason) == ("stale", "the newest frame is 10 s old")


def test_a_source_that_is_lost_is_unhealthy_at_once_and_has_no_answer():
    board = a_watched_board(SetClock())
    board.send(source("lost").model_copy(update={"reason": "it is gone"}))
    now = board.snapshot()
    assert (health(now).status, health(now).reason) == ("lost", "it is gone")
    assert (now.answer, now.answer_age_s, now.is_connected) == (None, None, False)


def test_an_answer_is_told_no_longer_than_until_the_next_is_due():
    clock = SetClock()
    board = a_watched_board(clock)
    clock.now_s += 1.0 + LEAST_STALE_S - 0.2
    assert page_state(board.snapshot())["answer"] == {
        "label": "walk",
        "best_guess": "walk",
        "score": 0.5,
        "scores": {"walk": 0.5},
    }
    clock.now_s += 0.2
    assert page_state(board.snapshot())["answer"] is None


def test_pictures_that_come_seldom_are_not_stale_between_two():
    assert a_board(interval_s=lambda: 4.0).snapshot().stale_s == 12.0


def test_the_strip_holds_one_answer_a_second_of_the_last_minutes():
    clock = SetClock()
    board = a_board(clock)
    for _ in range(int(4 * (STRIP_S + 60))):
        board.send(reading())
        clock.now_s += 0.25
    moments = board.snapshot().moments
    assert STRIP_S - 2 < len(moments) <= STRIP_S + 1
    assert all(later.at_s - earlier.at_s == 1.0 for earlier, later in pairwise(moments))


def test_the_newest_message_of_the_last_events_is_kept_and_starts_are_counted():
    board = a_board()
    for number in range(EVENTS + 5):
        board.send(event(number))
    board.send(event(EVENTS + 4, "end"))
    now = board.snapshot()
    assert [one.id for one in now.events] == [f"e-{number}" for number in range(EVENTS + 4, 4, -1)]
    assert now.events[0].phase == "end"
    assert now.event_counts == {"walk": EVENTS + 5}


def test_dropped_frames_are_those_of_the_newest_message():
    board = a_board()
    board.send(source("connected"))
    board.send(reading().model_copy(update={"dropped": 7}))
    assert board.snapshot().dropped == 7
    board.send(source("connected"))
    assert board.snapshot().dropped == 0
