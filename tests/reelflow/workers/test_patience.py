"""What may pass is tried again, what cannot ends at once."""

import pytest

from reelflow.errors import DataError, TrackingError
from reelflow.progress import watched_by
from reelflow.workers import patience
from reelflow.workers.patience import patiently


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(patience, "FIRST_S", 0.01)


class Work:
    """Fails with these errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.attempts = list(errors), 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def away() -> TrackingError:
    error = TrackingError("no MLflow server answers")
    error.may_pass = True
    return error


def test_a_server_that_comes_back_is_waited_for_and_told_of():
    told: list[dict] = []
    with watched_by(told.append):
        assert patiently(work := Work(away(), away()), 30) == "done"
    assert work.attempts == 3
    assert [event["message"].partition(";")[0] for event in told] == ["no MLflow server answers"] * 2
    assert "attempt 3 follows in" in told[1]["message"]


def test_what_cannot_pass_ends_at_once():
    with pytest.raises(DataError, match="no clips"):
        patiently(work := Work(DataError("no clips")), 30)
    assert work.attempts == 1


@pytest.mark.parametrize(("patience_s", "least"), [(0, 1), (0.2, 2)])
def test_patience_ends(patience_s, least):
    with pytest.raises(TrackingError):
        patiently(work := Work(*[away() for _ in range(1000)]), patience_s)
    assert least <= work.attempts < 1000
