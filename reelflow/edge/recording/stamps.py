"""Stamps of packets as a file may hold them: decoding times that rise, presentation times not before them.

Where stamps begin again, jump or stand still, the stream falls into parts; a file holds one part.
"""

from fractions import Fraction
from typing import NamedTuple

from av.packet import Packet
from av.video.stream import VideoStream

from reelflow.video.clock import MAX_DECODE_JITTER, MAX_REORDERED, nominal_s

AHEAD_S = 2.0  # stamps of a live source before their time: more is a jump
BY_ARRIVAL = Fraction(1, 1000)  # unit of times that are not the stream's own


class Stamp(NamedTuple):
    """The times of a packet, in units of `time_base`.

    Attributes:
        begins: a new part begins with this packet.
    """

    pts: int
    dts: int
    time_base: Fraction
    begins: bool


class PacketStamps:
    """Tells the times of packets in the order of decoding."""

    def __init__(self, stream: VideoStream, *, live: bool, unstamped: bool) -> None:
        """Nothing has come yet.

        Args:
            stream: whose packets come.
            live: they arrive at the rate at which they are shown.
            unstamped: they have no times, or made-up ones: when they arrive counts.
        """
        self._live, self._unstamped = live, unstamped
        self._time_base = stream.time_base or BY_ARRIVAL
        self._step = max(1, round(nominal_s(stream) / self._time_base))
        self._delay = stream.codec_context.reorder_depth * self._step
        self._last: int | None = None
        self._arrived_s = 0.0
        self._stalled = 0

    def tell(self, packet: "Packet[VideoStream]", arrival_s: float) -> Stamp:
        """The times of the next packet, which came then."""
        if self._unstamped:
            return self._by_arrival(arrival_s)
        dts = self._decoding(packet)
        begins = self._last is None or self._jumps(dts, arrival_s)
        if not begins and self._last is not None and dts <= self._last:
            dts, self._stalled = self._last + 1, self._stalled + 1
        else:
            self._stalled = 0
        if self._stalled > MAX_REORDERED:
            self._unstamped, self._last = True, None
            return self._by_arrival(arrival_s)
        self._last, self._arrived_s = dts, arrival_s
        return Stamp(max(dts, dts if packet.pts is None else packet.pts), dts, self._time_base, begins)

    def _decoding(self, packet: "Packet[VideoStream]") -> int:
        if packet.dts is not None:
            return packet.dts
        if self._last is not None:
            return self._last + (1 if packet.pts is not None else self._step)
        return 0 if packet.pts is None else packet.pts - self._delay

    def _jumps(self, dts: int, arrival_s: float) -> bool:
        assert self._last is not None
        rise = dts - self._last
        if rise < -MAX_DECODE_JITTER * self._step:
            return True
        return self._live and rise * self._time_base - (arrival_s - self._arrived_s) > AHEAD_S

    def _by_arrival(self, arrival_s: float) -> Stamp:
        """Where nothing else is known: when a packet came, or, of a file, one step after the last."""
        begins = self._last is None
        if self._live:
            now = round(arrival_s / BY_ARRIVAL)
            self._last = now if self._last is None else max(now, self._last + 1)
        else:
            step = max(1, round(self._step * self._time_base / BY_ARRIVAL))
            self._last = 0 if self._last is None else self._last + step
        return Stamp(self._last, self._last, BY_ARRIVAL, begins)
