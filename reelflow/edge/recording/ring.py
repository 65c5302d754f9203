"""The packets of the last seconds, from a keyframe on, in bounded memory."""

from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

KEYFRAME_BYTES = 16  # AVI marks frames that are not there, of a byte, as keyframes


@dataclass
class StreamPart:
    """Packets that one file may hold: of one codec, one size, one clock.

    Attributes:
        stream: whose they are.
        time_base: unit of their times.
        offset_s: what their times lack to the clock of events.
        first_dts: of its first packet.
        last_pts: latest so far.
        size: width and height; None for what the stream says.
        extradata: of the codec, where it is not the stream's.
    """

    stream: VideoStream
    time_base: Fraction
    offset_s: float
    first_dts: int
    last_pts: int
    size: tuple[int, int] | None = None
    extradata: bytes | None = None


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """A packet with the times that a file may hold, in units of its part."""

    packet: "Packet[VideoStream]"
    pts: int
    dts: int
    part: StreamPart

    @property
    def is_keyframe(self) -> bool:
        """Whether decoding can begin with it."""
        return self.packet.is_keyframe and self.packet.size >= KEYFRAME_BYTES

    @property
    def shown_s(self) -> float:
        """When its frame is shown, on the clock of events."""
        return float(self.pts * self.part.time_base) + self.part.offset_s

    @property
    def decoded_s(self) -> float:
        """When it is decoded; no frame of a later packet is shown before."""
        return float(self.dts * self.part.time_base) + self.part.offset_s


@dataclass
class _Pictures:
    """A keyframe, and what is decoded with it."""

    packets: list[KeptPacket] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def from_s(self) -> float:
        return self.packets[0].shown_s


class PacketRing:
    """Holds `keep_s` seconds; fewer where they take more than `max_bytes`.

    Attributes:
        size_bytes: of all packets.
        short: it could not hold what it should.
    """

    def __init__(self, keep_s: float, max_bytes: int) -> None:
        """Empty."""
        self.size_bytes, self.short = 0, False
        self._keep_s, self._max_bytes = keep_s, max_bytes
        self._groups: deque[_Pictures] = deque()

    def add(self, kept: KeptPacket) -> None:
        """Take a packet; one that cannot be decoded without others that are not here is left."""
        if kept.is_keyframe:
            self._groups.append(_Pictures())
        if self._groups and (kept.is_keyframe or self._groups[-1].packets[0].part is kept.part):
            self._groups[-1].packets.append(kept)
            self._groups[-1].size_bytes += kept.packet.size
            self.size_bytes += kept.packet.size
        self._forget(kept.shown_s)

    def since(self, from_s: float) -> list[KeptPacket]:
        """The packets that show what was seen from then on; from the first one on if it is later."""
        late = [number for number, group in enumerate(self._groups) if group.from_s <= from_s]
        first = late[-1] if late else 0
        return [kept for group in list(self._groups)[first:] for kept in group.packets]

    def _forget(self, now_s: float) -> None:
        while len(self._groups) > 1 and self._groups[1].from_s <= now_s - self._keep_s:
            self._drop()
        while self.size_bytes > self._max_bytes:
            self.short = True
            self._drop()

    def _drop(self) -> None:
        self.size_bytes -= self._groups.popleft().size_bytes
