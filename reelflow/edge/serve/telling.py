"""The health of a source, and the state that the page shows, from a snapshot."""

from typing import Literal

from pydantic import Field

from reelflow.documents import Document
from reelflow.edge.serve.board import STRIP_S, Snapshot

Status = Literal["ok", "starting", "lost", "stale", "ended"]


class SourceHealth(Document):
    """The answer of `/healthz`."""

    status: Status = Field(description="only `ok` is healthy")
    reason: str = Field(description="of what is not, without credentials")
    camera: str
    frame_age_s: float | None = Field(description="of the newest frame; null before the first")
    answer_age_s: float | None = Field(description="of the frames of the newest answer; null if it is past")
    frames: int
    dropped: int
    reconnects: int


def health(now: Snapshot) -> SourceHealth:
    """Whether the source is watched."""
    status, reason = _status(now)
    return SourceHealth(
        status=status,
        reason=reason,
        camera=now.camera,
        frame_age_s=_rounded(now.frame_age_s),
        answer_age_s=_rounded(now.answer_age_s),
        frames=now.frames,
        dropped=now.dropped,
        reconnects=now.reconnects,
    )


def page_state(now: Snapshot) -> dict[str, object]:
    """What the page shows beside the picture, as JSON; ages are of the moment of the snapshot."""
    return {
        **health(now).model_dump(mode="json"),
        "stale_s": now.stale_s,
        "is_connected": now.is_connected,
        "answer": now.answer.model_dump(include={"label", "best_guess", "score", "scores"})
        if now.answer
        else None,
        "hop_s": now.hop_s,
        "strip_s": STRIP_S,
        "strip": [(round(now.at_s - one.at_s, 1), one.label, one.score) for one in now.moments],
        "events": [
            event.model_dump(
                include={"id", "phase", "label", "best_score", "began_at", "duration_s", "reason"}
            )
            for event in now.events
        ],
    }


def _status(now: Snapshot) -> tuple[Status, str]:
    if now.source is None:
        return "starting", f"{now.camera} has not been reached yet"
    if now.source.state != "connected":
        return now.source.state, now.source.reason
    if now.frame_age_s is None:
        return "starting", f"{now.camera} has shown no frame yet"
    if now.frame_age_s > now.unhealthy_s:
        return "stale", f"the newest frame is {now.frame_age_s:.0f} s old"
    return "ok", ""


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
