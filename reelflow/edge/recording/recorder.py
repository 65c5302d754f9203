"""In the reading process: holds the last packets, and writes clips of them and of what follows."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from reelflow.edge.recording.active import ActiveClip
from reelflow.edge.recording.clip_file import REFUSALS, extradata_in, size_in
from reelflow.edge.recording.orders import ClipEndOrder, ClipOrder, RingOrder
from reelflow.edge.recording.ring import KeptPacket, PacketRing, StreamPart
from reelflow.edge.recording.stamps import PacketStamps, Stamp

Tell = Callable[[str, str], object]
"""Is told the name of a clip that has ended, and what went wrong with it, if anything did."""


class Recorder:
    """Takes packets from one thread, and orders from another."""

    def __init__(self, ring: RingOrder, tell: Tell, *, live: bool) -> None:
        """Nothing is held yet.

        Args:
            ring: how much is held.
            tell: where clips that have ended are told.
            live: packets come when they are shown.
        """
        self._ring, self._most = PacketRing(ring.keep_s, ring.max_bytes), ring
        self._tell, self._live = tell, live
        self._lock = Lock()
        self._active: dict[str, ActiveClip] = {}
        self._part: StreamPart | None = None
        self._size: tuple[int, int] | None = None
        self._extradata: bytes | None = None
        self._moment_s = 0.0
        self._told_short = self._finished = False

    def begin(self, stream: VideoStream, *, unstamped: bool) -> None:
        """Packets of this stream come; of times of their own, or not."""
        self._stream = stream
        self._stamps = PacketStamps(stream, live=self._live, unstamped=unstamped)

    def add(self, packet: "Packet[VideoStream]") -> None:
        """Take a packet that has been decoded."""
        stamp = self._stamps.tell(packet, time.monotonic())
        with self._lock:
            if self._has_changed(packet) or stamp.begins or self._part is None:
                self._part = self._next_part(stamp)
            self._part.last_pts = max(self._part.last_pts, stamp.pts)
            kept = KeptPacket(packet, stamp.pts, stamp.dts, self._part)
            self._ring.add(kept)
            for clip in list(self._active.values()):
                self._attempt(clip, partial(clip.take, kept))
        if self._ring.short and not self._told_short:
            self._told_short = True
            self._tell(
                "",
                f"{self._most.keep_s:.0f} s of packets take more than {self._most.max_bytes / 1e6:.0f} MB: "
                "clips begin later than asked; lower the camera's bit rate, or let it send keyframes "
                "more often",
            )

    def relate(self, frame: VideoFrame, moment_s: float) -> None:
        """A frame is of this moment on the clock of events: so are the packets around it."""
        self._moment_s, part = moment_s, self._part
        if part is None or frame.pts is None or frame.time_base != part.time_base:
            return
        if part.first_dts <= frame.pts <= part.last_pts:
            part.offset_s = moment_s - float(frame.pts * part.time_base)

    def obey(self, order: ClipOrder | ClipEndOrder) -> None:
        """Begin a clip with what is held, or learn its end."""
        with self._lock:
            if self._finished and isinstance(order, ClipOrder):
                self._tell(order.name, "its source has ended")
            elif isinstance(order, ClipOrder):
                packets = self._ring.since(order.from_s)
                self._active[order.id] = clip = ActiveClip(order, _first_shown(packets, order))
                for kept in packets:
                    if order.id in self._active:
                        self._attempt(clip, partial(clip.take, kept))
            elif order.id in self._active:
                self._active[order.id].until_s = order.until_s

    def finish(self) -> None:
        """End every clip where it is; no other begins."""
        with self._lock:
            self._finished = True
            for clip in list(self._active.values()):
                self._attempt(clip, clip.close)

    def _attempt(self, clip: ActiveClip, work: Callable[[], bool]) -> None:
        """Let a clip work, which tells whether it goes on; one that is refused ends, and it alone."""
        problem = ""
        try:
            if work():
                return
        except REFUSALS as error:
            clip.abandon()
            # the same for all files: it is told once
            problem = getattr(error.__cause__ or error, "strerror", None) or str(error)
        del self._active[clip.order.id]
        self._tell(clip.order.name, problem or ("" if clip.files else "no keyframe came during the clip"))

    def _has_changed(self, packet: "Packet[VideoStream]") -> bool:
        """Whether frames have another size from this keyframe on."""
        if not packet.is_keyframe:
            return False
        found, context = extradata_in(packet, self._stream), self._stream.codec_context
        size: tuple[int, int] | None = (context.width, context.height)
        if found is not None:  # the decoder may hold frames back, and tell their size until then
            if found == self._extradata:
                return False
            self._extradata, size = found, size_in(packet, self._stream, found)
        before, self._size = self._size, size or self._size
        return before not in (None, self._size)

    def _next_part(self, stamp: Stamp) -> StreamPart:
        now_s = time.monotonic() if self._live else self._moment_s
        return StreamPart(
            self._stream,
            stamp.time_base,
            now_s - float(stamp.pts * stamp.time_base),
            stamp.dts,
            stamp.pts,
            self._size,
            self._extradata,
        )


def _first_shown(packets: Sequence[KeptPacket], order: ClipOrder) -> float | None:
    """When the first frame of a clip is shown; None for the keyframe."""
    if not order.exact:
        return None
    return max((kept.shown_s for kept in packets if kept.shown_s <= order.from_s), default=None)
