"""Messages of the reading process: a header in JSON, then the bytes of a picture.

Both ends are reelflow's own. The process is killed when it hangs: a message that is cut is the end.
"""

import struct
from typing import IO, BinaryIO, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from reelflow.edge.recording.orders import RingOrder

LENGTHS = struct.Struct("<II")  # bytes of the header, and of the picture
MAX_HEADER_BYTES = 65_536
MAX_PICTURE_BYTES = 3 * 8192 * 8192


class Header(BaseModel):
    """What is told.

    Attributes:
        kind: `opened` once; `frame` with a picture; `alive` while frames come that are not looked at; `clip`
            when one has ended; at last `ended` or `failed`.
        times_s: moments at which the picture is shown, from the first frame of this part on.
        taken_s: when it was taken, on the system's clock that never jumps.
        begins: a new part: nothing before this frame goes together with it.
        shape: of the picture, `(height, width, 3)`.
        reason: of a failure; of a clip, why it is not whole.
        frames: that were decoded so far.
        cpu_s: that the reading process has computed so far.
        clip: its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["opened", "frame", "alive", "clip", "ended", "failed"]
    times_s: tuple[float, ...] = ()
    taken_s: float = 0.0
    begins: bool = False
    shape: tuple[int, int, int] = (0, 0, 3)
    reason: str = ""
    frames: int = 0
    cpu_s: float = 0.0
    clip: str = ""


class Order(BaseModel):
    """The source that the process reads.

    Attributes:
        address: of the source; not on the command line, which every user of the machine can see.
        interval_s: between two looks.
        ring: what is held for clips; None where none are kept.
    """

    address: str
    interval_s: float
    ring: RingOrder | None = None


class Told(NamedTuple):
    """One message."""

    header: Header
    image: NDArray[np.uint8] | None


def write_order(stream: IO[bytes], order: BaseModel) -> None:
    """Send the process its source, and later orders for clips.

    Raises:
        OSError: it has died.
    """
    stream.write(order.model_dump_json().encode() + b"\n")
    stream.flush()


def write_told(stream: BinaryIO, header: Header, image: NDArray[np.uint8] | None = None) -> None:
    """Write a message.

    Raises:
        OSError: nobody reads any more.
    """
    picture = b"" if image is None else np.ascontiguousarray(image).data
    text = header.model_dump_json().encode()
    stream.write(LENGTHS.pack(len(text), 0 if image is None else image.nbytes))
    stream.write(text)
    stream.write(picture)
    stream.flush()


def read_told(stream: IO[bytes]) -> Told | None:
    """The next message; None at the end.

    Raises:
        ValueError: it is none of `write_told`.
    """
    lengths = stream.read(LENGTHS.size)
    if len(lengths) < LENGTHS.size:
        return None
    header_bytes, picture_bytes = LENGTHS.unpack(lengths)
    if header_bytes > MAX_HEADER_BYTES or picture_bytes > MAX_PICTURE_BYTES:
        raise ValueError(
            f"a message of {header_bytes} and {picture_bytes} bytes is not one of the reading process"
        )
    text, picture = stream.read(header_bytes), stream.read(picture_bytes)
    if len(text) < header_bytes or len(picture) < picture_bytes:
        return None
    header = Header.model_validate_json(text)
    if not picture_bytes:
        return Told(header, None)
    return Told(header, np.frombuffer(picture, np.uint8).reshape(header.shape))
