"""Decodes clips to frames; facts come from decoded frames, not from headers.

A packet that does not decode is skipped; a truncated file ends
where it is cut. A clip is refused when no frame decodes, when it is encrypted, and when at least
half of what was decoded is damaged. Frames are in the order of display, at the times of
`reelflow.video.clock`, on one thread: several clips are decoded by several processes.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from reelflow.errors import ClipError
from reelflow.video.clock import Clock
from reelflow.video.formats import FORMATS
from reelflow.video.sample import shown_indices, uniform_indices

Image = NDArray[np.uint8]
Kept = TypeVar("Kept")
MAX_PIXELS = 8192 * 8192

PICTURES = frozenset({"bmp", "jpeg2000", "jpegls", "ljpeg", "mjpeg", "png", "tiff", "webp"})
"""Codecs of single pictures: beside another stream, one of these is mostly a thumbnail."""

OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": ",".join(FORMATS),
    "max_pixels": str(MAX_PIXELS),
    "fflags": "-genpts",  # PyAV's default; it makes up times for B-frames in AVI that jump back and forth
}


@dataclass(frozen=True)
class VideoFacts:
    """Facts of a clip, found by decoding all of it.

    Attributes:
        frame_count: frames that decode.
        duration_s: from the first frame's start to the last one's end.
        fps: mean rate over the clip; 0 if unknown.
        width: in pixels, as displayed.
        height: in pixels, as displayed.
        rotation: degrees clockwise to display upright: 0, 90, 180, 270.
        codec: FFmpeg's name of the format, such as `h264`.
        has_audio: there is an audio stream beside the video.
    """

    frame_count: int
    duration_s: float
    fps: float
    width: int
    height: int
    rotation: int
    codec: str
    has_audio: bool


def probe(path: Path) -> VideoFacts:
    """Decode every frame of a clip without conversion.

    Raises:
        ClipError: the clip cannot be used; the message is the reason alone.
    """
    with opened(path) as (container, stream):
        clock = Clock(stream)
        for frame in decoded(container, stream):
            if clock.count == 0:
                rotation = _rotation(frame)
                width, height = _displayed_size(frame)
            clock.tell(frame)
        return VideoFacts(
            frame_count=clock.count,
            duration_s=round(float(clock.end_s), 6),
            fps=round(float(clock.count / clock.end_s), 6),
            width=width,
            height=height,
            rotation=rotation,
            codec=stream.codec_context.codec.canonical_name,
            has_audio=bool(container.streams.audio),
        )


def sample_frames(path: Path, count: int, *, expected_frames: int | None = None) -> NDArray[np.uint8]:
    """Uniformly spread frames of a clip, `(count, height, width, 3) uint8`, as `sample` finds them."""
    return stacked(sample(path, count, lambda image: image, expected_frames=expected_frames))


def stacked(images: list[Image]) -> NDArray[np.uint8]:
    """Images of one size as one array; they leave the list, so that memory never holds two of each."""
    whole = np.empty((len(images), *images[0].shape), np.uint8)
    for row in reversed(range(len(whole))):
        whole[row] = images.pop()
    return whole


def sample(
    path: Path, count: int, keep: Callable[[Image], Kept], *, expected_frames: int | None = None
) -> list[Kept]:
    """Decode a clip, in order, and convert the frames shown in the middle of `count` equal parts of it.

    Args:
        path: the clip.
        count: frames to look at.
        keep: what to keep of a frame, `(height, width, 3) uint8`, RGB, upright. All have the first
            frame's size.
        expected_frames: how many frames decode, where known; a wrong number costs a second pass.

    Returns:
        `count` results; those of a frame that is looked at twice are one object.

    Raises:
        ClipError: the clip cannot be used; the message is the reason alone.
    """
    guessed = _guess(path, count, expected_frames)
    kept, right = _decode_chosen(path, guessed, keep)
    if right != guessed:
        kept, _ = _decode_chosen(path, right, keep)
    return kept


def _decode_chosen(
    path: Path, indices: Sequence[int], keep: Callable[[Image], Kept]
) -> tuple[list[Kept], Sequence[int]]:
    """What is kept of the frames at `indices`, and the right indices."""
    kept: list[Kept] = []
    times_s: list[Fraction] = []
    with opened(path) as (container, stream):
        clock = Clock(stream)
        for frame in decoded(container, stream):
            if not times_s:
                upright = Upright(frame)
            if repeats := indices.count(len(times_s)):
                kept += [keep(upright(frame))] * repeats
            times_s.append(clock.tell(frame))
        return kept, shown_indices(times_s, clock.end_s, len(indices))


def _guess(path: Path, count: int, expected_frames: int | None) -> Sequence[int]:
    """The frames to look at if every packet is a frame; where they have no times, by number."""
    with opened(path) as (container, stream):
        packets = [packet.pts for packet in _packets(container, stream) if packet]
        stamps = sorted(pts for pts in packets if pts is not None)
        total = expected_frames or max(1, len(packets))
        if total == 1 or len(stamps) != total:
            return uniform_indices(total, count)
        times_s = [(stamp - stamps[0]) * Fraction(stream.time_base or 0) for stamp in stamps]
        return shown_indices(times_s, times_s[-1] * total / (total - 1), count)


@contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a clip and its first moving stream; errors of FFmpeg become a `ClipError`."""
    try:
        if not path.is_file():
            raise ClipError(_why_no_file(path))
        if path.stat().st_size == 0:
            raise ClipError("the file is empty")
        with av.open(str(path.absolute()), options=OPTIONS, metadata_errors="replace") as container:
            yield container, moving_stream(container)
    except av.ArgumentError as error:
        raise ClipError("it is not a video, or its format is not supported") from error
    except av.FFmpegError as error:
        raise ClipError(f"it is not a readable video: {error.strerror}") from error
    except (OSError, ValueError) as error:
        raise ClipError(f"it cannot be opened: {error}") from error
    except MemoryError as error:
        raise ClipError("its frames do not fit into memory") from error


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "it is a folder, not a clip: name the clips in it"
    if path.exists():
        return "it is not a regular file"
    return "it is a link to what is not there" if path.is_symlink() else "it is missing"


def moving_stream(container: InputContainer) -> VideoStream:
    """The stream that a player shows, on one thread: of several the main one, no cover, no thumbnail.

    Raises:
        ClipError: there is none that can be decoded.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise ClipError("it holds no video stream")
    stream = max(streams, key=_likelihood)
    if stream.codec_context is None:
        raise ClipError("its codec is unknown")
    _check_size(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.thread_count = 1
    return stream


def _likelihood(stream: VideoStream) -> tuple[bool, bool, bool, bool, int]:
    """How likely a stream is the main one: it decodes, moves, is the default, has more pixels."""
    codec = stream.codec_context
    if codec is None:
        return False, False, False, False, 0
    is_default = bool(stream.disposition & Disposition.default)
    return True, stream.frames != 1, codec.name not in PICTURES, is_default, codec.width * codec.height


def decoded(
    container: InputContainer, stream: VideoStream, taken: Callable[["av.Packet[VideoStream]"], object] = bool
) -> Iterator[VideoFrame]:
    """Every frame that decodes; at the end the clip is refused if too much was damaged.

    Args:
        container: the clip.
        stream: of it.
        taken: is given every packet that the decoder has taken, before the frames.
    """
    found = damaged = 0
    for packet in _packets(container, stream):
        try:
            frames = stream.codec_context.decode(packet)
        except av.FFmpegError:
            damaged += 1
            continue
        if packet:
            taken(packet)
        for frame in frames:
            _check_size(frame.width, frame.height)
            damaged += frame.is_corrupt
            found += 1
            yield frame
    if not found:
        raise ClipError("no frame decodes")
    if found == 1 and container.format.name == "jpeg_pipe":
        raise ClipError("it is a single picture, not a video")
    if 2 * damaged >= found:
        raise ClipError(f"too much of it is damaged: {damaged} faults in {found} frames")


def _packets(container: InputContainer, stream: VideoStream) -> Iterator["av.Packet[VideoStream] | None"]:
    """Every packet with content up to where the file breaks, then None, which empties the decoder."""
    try:
        for packet in container.demux(stream):
            if packet.has_sidedata("encryption_info"):
                raise ClipError("it is encrypted")
            if packet.size:
                yield packet
    except av.FFmpegError:
        pass
    yield None


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ClipError(f"its frames are too large: {width} x {height}, at most {MAX_PIXELS} pixels")


class Upright:
    """Frames of a video as RGB: width and height as coded and rotation of the first one are those of all."""

    def __init__(self, first: VideoFrame) -> None:
        self._width, self._height = first.width, first.height
        self._turns = -_rotation(first) // 90
        self._reformatter = VideoReformatter()

    def fits(self, frame: VideoFrame) -> bool:
        """Whether the frame has the size of the first one."""
        return (frame.width, frame.height) == (self._width, self._height)

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """The frame as `(height, width, 3) uint8`, upright."""
        image = self._reformatter.reformat(frame, self._width, self._height, "rgb24", threads=1)
        return np.rot90(image.to_ndarray(), self._turns)


def _rotation(frame: VideoFrame) -> int:
    """Degrees clockwise to display the frame upright; FFmpeg counts the other way round."""
    return round(-frame.rotation / 90) % 4 * 90


def _displayed_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of the upright frame."""
    turned = _rotation(frame) in (90, 270)
    return (frame.height, frame.width) if turned else (frame.width, frame.height)
