"""When the work of a step was done, and on what machine: its record in MLflow may come much later."""

from collections.abc import Mapping
from typing import Any, Self

from reelflow.documents import Document

MS = 1000  # of a second


class Span(Document):
    """The work of one step.

    Attributes:
        started_ms: milliseconds since 1970.
        ended_ms: of the same clock.
        machine: that did it, as text.
    """

    started_ms: int
    ended_ms: int
    machine: str = ""

    @classmethod
    def until(cls, ended_s: float, seconds: float, machine: str = "") -> Self:
        """The span of some seconds until a time, in seconds since 1970."""
        return cls(started_ms=int((ended_s - seconds) * MS), ended_ms=int(ended_s * MS), machine=machine)


def span_of(event: Mapping[str, Any]) -> Span | None:
    """The span of a step that has just finished; None for other events, and if there was no work to do."""
    if event["kind"] != "finished" or event["reused"]:
        return None
    return Span.until(event["time"], event["seconds"], event.get("machine", ""))
