"""One file of packets as they came. Cut anywhere, it plays to its last second.

MP4 is written in fragments and becomes a plain one, with a table for seeking, when it is closed
(`hybrid_fragmented`, https://ffmpeg.org/ffmpeg-formats.html#mov_002c-mp4_002c-ismv); an edit list hides
frames before its time 0. Matroska holds the codecs that players do not expect in MP4.
"""

import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import av
from av.bitstream import BitStreamFilterContext
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from reelflow.edge.recording.ring import KeptPacket, StreamPart
from reelflow.errors import ReelflowError

REFUSALS = (OSError, ValueError, av.FFmpegError, ReelflowError)
"""What a disk or a format that does not take a clip raises."""
FORMATS_OF_CODECS = dict.fromkeys(("h264", "hevc", "av1", "mpeg4"), "mp4")
SUFFIXES = {"mp4": ".mp4", "matroska": ".mkv"}
OPTIONS = {
    "mp4": {
        "movflags": "hybrid_fragmented+frag_keyframe+delay_moov",
        "frag_duration": "1000000",  # microseconds: what a cut may cost
        "use_editlist": "1",
    },
    "matroska": {"cluster_time_limit": "1000"},  # milliseconds, likewise
}
COMMON = {"avoid_negative_ts": "disabled", "flush_packets": "1"}
LENGTHS = (
    b"\x01"  # of avcC and hvcC: packets hold lengths, not start codes, and no beginning of the codec's own
)
BOX = struct.Struct(">I4s")
LARGE = struct.Struct(">Q")


def format_of(part: StreamPart) -> str:
    """FFmpeg's name of the format that holds a part."""
    return FORMATS_OF_CODECS.get(part.stream.codec_context.codec.canonical_name, "matroska")


class ClipFile:
    """A file that packets of one part are written to.

    Attributes:
        part: whose packets it holds.
        from_s: when its first frame is shown, on the clock of events.
        size_bytes: of the packets so far.
    """

    def __init__(self, path: Path, first: KeptPacket, from_s: float | None = None) -> None:
        """Begin the file.

        Args:
            path: where it is written; its suffix does not matter.
            first: a keyframe; what is shown before it cannot be decoded.
            from_s: the time to begin with, if it is later; frames before it are not shown.
        """
        self.part = part = first.part
        self.from_s, self.size_bytes = first.shown_s, 0
        self._first_pts = first.pts
        name = format_of(part)
        self._zero = first.pts
        if from_s is not None and name == "mp4":
            self._zero += max(0, round((from_s - first.shown_s) / part.time_base))
        self._container = av.open(str(path), "w", format=name, options=COMMON | OPTIONS[name])
        self._stream = self._container.add_stream_from_template(part.stream, opaque=True)
        self._stream.time_base = part.time_base
        if part.size:
            self._stream.codec_context.width, self._stream.codec_context.height = part.size
        if part.extradata is not None:
            self._stream.codec_context.extradata = part.extradata

    def write(self, kept: KeptPacket) -> None:
        """Append a packet.

        Raises:
            REFUSALS: it is not taken.
        """
        if kept.pts < self._first_pts:
            return
        packet = kept.packet
        before = packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration
        packet.time_base, packet.pts, packet.dts = (
            self.part.time_base,
            kept.pts - self._zero,
            kept.dts - self._zero,
        )
        packet.duration = packet.duration if packet.time_base == before[1] else 0
        packet.stream = self._stream
        try:
            self._container.mux_one(packet)
        finally:  # other files take it too, and none lives as long as it is in the ring
            packet.stream, packet.time_base, packet.pts, packet.dts, packet.duration = before
        self.size_bytes += packet.size

    def close(self) -> None:
        """Finish the file.

        Raises:
            REFUSALS: it is not taken.
        """
        self._container.close()


def extradata_in(packet: "Packet[VideoStream]", stream: VideoStream) -> bytes | None:
    """What the codec must know before the first frame, if the packet holds it."""
    if packet.has_sidedata("new_extradata"):
        return bytes(packet.get_sidedata("new_extradata"))
    if (stream.codec_context.extradata or b"").startswith(LENGTHS):
        return None
    try:
        (copy,) = BitStreamFilterContext("extract_extradata", stream).filter(Packet(bytes(packet)))
    except (av.FFmpegError, ValueError):  # a codec that needs nothing
        return None
    return bytes(copy.get_sidedata("new_extradata")) if copy.has_sidedata("new_extradata") else None


def size_in(packet: "Packet[VideoStream]", stream: VideoStream, extradata: bytes) -> tuple[int, int] | None:
    """Width and height of the frame of a keyframe; None if it does not decode."""
    decoder = CodecContext.create(stream.codec_context.codec.name, "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.extradata, decoder.thread_count = extradata, 1
    with suppress(av.FFmpegError):
        for frame in decoder.decode(Packet(bytes(packet))) + decoder.decode(None):
            return frame.width, frame.height
    return None


def cut_to_whole_boxes(path: Path) -> None:
    """Remove a fragment that was not written to its end from the file of a killed writer.

    A fragment is `moof` and `mdat`; each is a box: length, type, content (ISO/IEC 14496-12, 4.2).
    """
    with path.open("r+b") as file:
        if BOX.unpack(file.read(BOX.size).ljust(BOX.size, b"\0"))[1] != b"ftyp":
            return
        file.truncate(_end_of_media(file, path.stat().st_size))


def _end_of_media(file: BinaryIO, size_bytes: int) -> int:
    """Where the last box of frames that is whole ends."""
    place = end = 0
    while place + BOX.size <= size_bytes:
        file.seek(place)
        length, kind = BOX.unpack(file.read(BOX.size))
        if length == 1:
            (length,) = LARGE.unpack(file.read(LARGE.size).ljust(LARGE.size, b"\0"))
        place += max(length, BOX.size)
        if place > size_bytes:
            break
        if kind in (b"mdat", b"moov"):
            end = place
    return end
