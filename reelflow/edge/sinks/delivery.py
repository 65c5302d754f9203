"""A thread that takes messages from a spool and gives them to a receiver, in order.

- A failure: the same message is tried again after a wait, which doubles up to a minute; a success resets it.
  Half of each wait is random, so that many devices do not come back to a server at once.
- `RefusedError`: the receiver answered, and does not want this message. After `REFUSALS` tries, a minute
  apart at the end, the message is lost and the next one has its turn: one bad message must not block the
  queue, and a wrong password must not empty it before somebody looks (it costs a message every few minutes).
- `GoneError`: there will never be a receiver again, as at the end of a pipe. All messages are lost.

A message is removed once it is delivered: one whose delivery was cut off by the end of the process is
delivered again, at least once, never zero times.
"""

import random
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

from reelflow.commandline import printable
from reelflow.edge.sinks.spool import Spool

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0
REFUSALS = 8
IDLE_S = 10.0  # then the spool looks whether the disk takes again what it refused


class UndeliveredError(Exception):
    """The message was not delivered; another time it may be. The text shows no credentials."""


class RefusedError(UndeliveredError):
    """The receiver does not want this message."""


class GoneError(UndeliveredError):
    """The receiver is gone for good."""


class Deliverer:
    """Delivers what is in a spool until it is closed.

    Attributes:
        failures: attempts that failed.
        problem: why the last attempt failed; empty after one that did not.
    """

    def __init__(
        self,
        spool: Spool,
        deliver: Callable[[str], None],
        *,
        first_wait_s: float = FIRST_WAIT_S,
        longest_wait_s: float = LONGEST_WAIT_S,
    ) -> None:
        """Start the thread.

        Args:
            spool: where the messages wait; it is closed with this.
            deliver: takes a message, or raises; called by one thread. It must end by itself some time.
            first_wait_s: after a first failure.
            longest_wait_s: after many.
        """
        self._spool, self._deliver = spool, deliver
        self._first_wait_s, self._longest_wait_s = first_wait_s, longest_wait_s
        self._wait_s = first_wait_s
        self._refusals = 0
        self._gone = False
        self._news, self._hurry, self._closing, self._closed = Flag(), Flag(), Flag(), Flag()
        self.failures, self.problem = 0, ""
        self._thread = Thread(target=self._run, name="reelflow-delivery", daemon=True)
        self._thread.start()

    def send(self, body: str) -> None:
        """Take a message."""
        self._spool.append(body)
        self._news.set()

    def hurry(self) -> None:
        """Try again now: the receiver is back."""
        self._hurry.set()

    def close(self, timeout_s: float) -> None:
        """Deliver until nothing waits, an attempt fails, or time is up; what is left stays in the spool."""
        self._closing.set()
        self._news.set()
        self._hurry.set()
        self._thread.join(max(timeout_s, 0))
        self._closed.set()
        self._spool.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._news.clear()
            body = self._spool.peek()
            if body is not None:
                if not self._attempt(body) and self._closing.is_set():
                    return
            elif self._closing.is_set():
                return
            else:
                self._news.wait(IDLE_S)

    def _attempt(self, body: str) -> bool:
        """Deliver a message, or wait before it is tried again."""
        if self._gone:
            self._spool.remove(lost=True)
            return True
        self._hurry.clear()
        last = self._closing.is_set()
        try:
            self._deliver(body)
        except Exception as error:  # whatever it is, the next messages need this thread
            self._failed(error)
            if not (last or self._gone):
                self._hurry.wait(self._next_wait_s())
            return self._gone or not last
        self._delivered()
        return True

    def _delivered(self) -> None:
        self._spool.remove()
        self._wait_s, self._refusals, self.problem = self._first_wait_s, 0, ""

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        told = str(error) if isinstance(error, UndeliveredError) else type(error).__name__
        self.problem = printable(told)
        self._gone = isinstance(error, GoneError)
        self._refusals += isinstance(error, RefusedError)
        if self._gone or self._refusals >= REFUSALS:
            self._refusals = 0
            self._spool.remove(lost=True)

    def _next_wait_s(self) -> float:
        wait_s = self._wait_s * random.uniform(0.5, 1)  # noqa: S311
        self._wait_s = min(self._wait_s * 2, self._longest_wait_s)
        return wait_s
