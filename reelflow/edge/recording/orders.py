"""Orders of the watching process to the reading one, which holds the packets: a line of JSON each."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class RingOrder(BaseModel):
    """How much is held for clips whose start has passed.

    Attributes:
        keep_s: seconds.
        max_bytes: of packets.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_s: float
    max_bytes: int


class ClipOrder(BaseModel):
    """Keep a clip.

    Attributes:
        id: of the clip.
        folder: where it goes.
        name: of its file, without suffix.
        limit_bytes: of all clips in the folder; the oldest go first.
        from_s: its start, on the clock of events.
        until_s: its end, if known already.
        exact: frames before `from_s`, which decoding needs, are not shown.
        note: content of a JSON file beside the clip; none if empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["clip"] = "clip"
    id: str
    folder: str
    name: str
    limit_bytes: int
    from_s: float
    until_s: float | None = None
    exact: bool = False
    note: str = ""


class ClipEndOrder(BaseModel):
    """The end of a clip is known now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["until"] = "until"
    id: str
    until_s: float


RecordingOrder = Annotated[ClipOrder | ClipEndOrder, Field(discriminator="kind")]
_READ: TypeAdapter[ClipOrder | ClipEndOrder] = TypeAdapter(RecordingOrder)


def read_order(line: bytes) -> ClipOrder | ClipEndOrder:
    """The order on a line.

    Raises:
        ValueError: it is none.
    """
    return _READ.validate_json(line)
