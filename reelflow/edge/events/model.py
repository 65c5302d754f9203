"""Messages of `watch`, as JSON: events, changes of the source, and one answer per hop."""

from typing import Literal

from pydantic import Field

from reelflow.documents import Document

StateName = Literal["connected", "lost", "ended"]


class Event(Document):
    """One message of an event. Messages of one event have one id and come in order: start, update, end.

    Durations come from a clock that never jumps; `began_at` and `told_at` are what the device believes the
    time to be, which may be wrong.
    """

    kind: Literal["event"] = "event"
    id: str = Field(description="of the event, unique over restarts")
    phase: Literal["start", "update", "end"]
    camera: str = Field(description="name of the source, without credentials")
    bundle: str = Field(description="name of the bundle")
    label: str = Field(description="class, or `unsure`")
    score: float = Field(ge=0, le=1, description="of the last answer; at the end, the mean over the event")
    best_score: float = Field(ge=0, le=1, description="highest so far")
    began_at: str = Field(description="ISO 8601, UTC")
    told_at: str = Field(description="ISO 8601, UTC, of this message")
    duration_s: float = Field(ge=0, description="so far")
    age_s: float = Field(ge=0, description="age of the newest frame of the answer, when the message was sent")
    reason: Literal["", "score", "other", "source", "stopped", "bundle"] = Field(
        default="",
        description="of the end: the score fell, another class, the source was lost, stopped, a new bundle",
    )


class SourceState(Document):
    """The state of the source; sent when it changes."""

    kind: Literal["source"] = "source"
    camera: str
    state: StateName
    told_at: str = Field(description="ISO 8601, UTC")
    reason: str = Field(default="", description="why it was lost, without credentials")
    frames: int = Field(ge=0, description="frames that were sampled so far")
    dropped: int = Field(ge=0, description="that came too fast")
    reconnects: int = Field(ge=0)


class WindowAnswer(Document):
    """The answer of one window."""

    kind: Literal["answer"] = "answer"
    camera: str
    time_s: float = Field(description="of the newest frame, from the first one of the connection on")
    told_at: str = Field(description="ISO 8601, UTC")
    label: str | None = Field(description="null where the score is too low for an answer")
    best_guess: str
    score: float = Field(ge=0, le=1)
    scores: dict[str, float]
    age_s: float = Field(ge=0, description="of the newest frame")
    dropped: int = Field(ge=0, description="frames, so far")


Message = Event | SourceState | WindowAnswer
