"""A sink as the others are made of: some kinds of messages, as JSON, through a spool."""

import json
from collections.abc import Callable

from reelflow.edge.events.model import Message
from reelflow.edge.sinks.delivery import Deliverer
from reelflow.edge.sinks.spool import Spool


def encoded(message: Message) -> str:
    """A message as compact JSON in ASCII: one line, whatever the names in it hold."""
    return json.dumps(message.model_dump(mode="json"), separators=(",", ":"), allow_nan=False)


class SpooledSink:
    """Sends what it `takes`, in order."""

    def __init__(
        self, name: str, takes: tuple[type[Message], ...], spool: Spool, deliver: Callable[[str], None]
    ) -> None:
        """Start to deliver what waits.

        Args:
            name: for messages to people, without credentials.
            takes: classes of messages; others are ignored.
            spool: where they wait.
            deliver: as for `Deliverer`.
        """
        self.name, self._takes, self._spool = name, takes, spool
        self._deliverer = Deliverer(spool, deliver)

    def send(self, message: Message) -> None:
        """Take a message, without waiting for the receiver."""
        if isinstance(message, self._takes):
            self._deliverer.send(encoded(message))

    def hurry(self) -> None:
        """Try again now: the receiver is back."""
        self._deliverer.hurry()

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered in this time, keep the rest if the spool is a file, and end."""
        self._deliverer.close(timeout_s)

    @property
    def waiting(self) -> int:
        """Messages that are not delivered yet."""
        return len(self._spool)

    @property
    def problem(self) -> str:
        """Why the last attempt failed, without credentials; empty after one that did not."""
        return self._deliverer.problem

    @property
    def failures(self) -> int:
        """Attempts that failed, and refusals of the spool's disk, since the start."""
        return self._deliverer.failures + self._spool.failures

    @property
    def lost(self) -> int:
        """Messages that will never be delivered; over all restarts if the spool is a file."""
        return self._spool.lost
