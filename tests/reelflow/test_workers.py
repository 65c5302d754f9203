"""A clip that hangs or crashes its decoder costs no other clip."""

import pytest

from reelflow.errors import ClipError, StorageError
from reelflow.workers import AHEAD, in_processes
from tests.faulty_work import work


def outcomes(names, timeout_s=20.0):
    return [
        str(outcome) if isinstance(outcome, ClipError) else outcome
        for outcome in in_processes(work, names, timeout_s=timeout_s)
    ]


def test_outcomes_come_in_order_with_a_reason_for_each_that_failed():
    found = outcomes(["a", "refuse", "b", "crash", "c", "d"])
    assert found[:3] == ["A", "refused", "B"]
    assert found[3].startswith("its decoder crashed")
    assert found[4:] == ["C", "D"]


def test_a_clip_that_hangs_is_given_up():
    assert outcomes(["a", "hang", "b"], timeout_s=2) == ["A", "it took more than 2 s and was given up", "B"]


def test_other_errors_are_raised():
    with pytest.raises(StorageError):
        outcomes(["a", "full disk", "b"])


def test_only_some_are_taken_ahead_of_the_reader():
    taken = []

    def endless():
        while True:
            taken.append("a")
            yield "a"

    found = in_processes(work, endless(), timeout_s=20)
    assert next(found) == "A"
    found.close()
    assert len(taken) <= 64 * AHEAD
