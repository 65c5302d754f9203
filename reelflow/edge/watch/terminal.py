"""A live line on a terminal: the newest answer, and above it every event."""

from typing import TextIO

from reelflow.commandline import printable
from reelflow.edge.events.model import Event, Message, SourceState, WindowAnswer

CLEAR = "\r\x1b[K"


class TerminalLine:
    """Writes events one below the other, and over the last line the newest answer."""

    name, problem = "terminal", ""
    failures = lost = 0

    def __init__(self, stream: TextIO) -> None:
        """Write to a terminal."""
        self._stream = stream

    def send(self, message: Message) -> None:
        """Show a message."""
        if isinstance(message, WindowAnswer):
            self._stream.write(CLEAR + printable(_line(message)))
        elif not isinstance(message, Event) or message.phase != "update":
            self._stream.write(CLEAR + printable(_told(message)) + "\n")
        self._stream.flush()

    def close(self, timeout_s: float) -> None:  # noqa: ARG002
        """Leave the line."""
        self._stream.write("\n")
        self._stream.flush()


def _line(answer: WindowAnswer) -> str:
    label = answer.label or f"unsure (best guess {answer.best_guess})"
    dropped = f", {answer.dropped} frames dropped" if answer.dropped else ""
    return f"{label} {answer.score:.3f}, {answer.age_s:.1f} s old{dropped}"


def _told(message: Event | SourceState) -> str:
    if isinstance(message, SourceState):
        return f"{message.told_at}  {message.camera}: {message.state} {message.reason}".rstrip()
    length = f" after {message.duration_s:.1f} s" if message.phase == "end" else ""
    return f"{message.told_at}  {message.label} {message.phase}s{length} ({message.score:.3f})"
