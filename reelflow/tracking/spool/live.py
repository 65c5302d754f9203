"""Sends the curves of the training that this process runs, beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from reelflow.errors import ReelflowError
from reelflow.progress import emit, watched_by
from reelflow.settings import Settings
from reelflow.tracking.spool.curves import Curves

EVERY_S = 5.0
AWAY_S = 60.0
LAST_S = 10.0


@contextmanager
def live_curves(settings: Settings, task: str) -> Iterator[None]:
    """Send points while the block runs; it neither waits for MLflow nor fails because of it.

    Args:
        settings: with the name of the run.
        task: the training, as `training thumbnail-gru`.
    """
    curves, over = Curves(settings, task), Event()
    sender = Thread(target=_send, args=(curves, over), daemon=True)
    sender.start()
    try:
        with watched_by(curves.add):
            yield
    finally:
        over.set()
        sender.join(LAST_S)


def _send(curves: Curves, over: Event) -> None:
    told = False
    wait_s = EVERY_S
    while not over.wait(wait_s) or curves.are_due:
        try:
            if curves.are_due:
                curves.send()
            wait_s = EVERY_S
        except ReelflowError as error:
            if not told:
                emit("notice", message=f"curves wait: {error}")
            told, wait_s = True, AWAY_S
            if over.is_set():
                return
