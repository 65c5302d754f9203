"""What every sink offers."""

from typing import Protocol

from reelflow.edge.events.model import Message


class Sink(Protocol):
    """Takes messages in order. It never raises for what is wrong with it, and never blocks: it counts."""

    name: str
    """For messages to people, without credentials."""

    def send(self, message: Message) -> None:
        """Take a message; what the sink does not tell is ignored."""

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered in this time, keep the rest for the next start, and end."""

    @property
    def problem(self) -> str:
        """Why the last attempt failed, without credentials; empty after one that did not."""

    @property
    def failures(self) -> int:
        """Attempts that failed so far."""

    @property
    def lost(self) -> int:
        """Messages that will never be delivered: the spool was full."""
