"""Messages for the sinks' tests, and waiting for what other threads do."""

import time
from collections.abc import Callable

from reelflow.edge.events.model import Event, SourceState, WindowAnswer

NOW = "2026-01-01T00:00:00Z"
LONG_S = 20.0


def event(number: int = 0, phase: str = "start", camera: str = "porch") -> Event:
    return Event.model_validate(
        {
            "id": f"e-{number}",
            "phase": phase,
            "camera": camera,
            "bundle": "b",
            "label": "walk",
            "score": 0.9,
            "best_score": 0.9,
            "began_at": NOW,
            "told_at": NOW,
            "duration_s": 1.0,
            "age_s": 0.1,
        }
    )


def source(state: str = "lost") -> SourceState:
    return SourceState.model_validate(
        {"camera": "porch", "state": state, "told_at": NOW, "frames": 1, "dropped": 0, "reconnects": 0}
    )


def reading(label: str | None = "walk") -> WindowAnswer:
    return WindowAnswer(
        camera="porch",
        time_s=1.0,
        told_at=NOW,
        label=label,
        best_guess="walk",
        score=0.5,
        scores={"walk": 0.5},
        age_s=0.1,
        dropped=0,
    )


def wait_for(condition: Callable[[], object], timeout_s: float = LONG_S) -> None:
    """Until the condition holds; for machines with much other work the time is long."""
    ends = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)
