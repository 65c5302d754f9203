"""Frames of a video of any length, at moments of presentation time."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from reelflow.video.decode import Upright, decoded, opened

MAX_REPEATS = 100  # of one frame in a stream, however long it is shown
ROUNDING = 1e-6  # of an interval
DEFAULT_FPS = 25.0  # if neither timestamps nor the header have it


class FrameStream:
    """The frame in the middle of every interval of a video of any length, in constant memory.

    Iterating decodes it once, in order, and gives `(time_s, image)`: seconds from the start of the
    first frame on, and `(height, width, 3) uint8`, RGB, upright. A video that is over before the
    first moment gives its last frame. A frame that stays for several intervals is given as one
    object, `MAX_REPEATS` times at most; the times of what follows stay true. At the end a
    `ClipError` may say that the video cannot be used.

    Attributes:
        duration_s: of what was decoded so far.
    """

    def __init__(self, path: Path, interval_s: float) -> None:
        """Remember what to decode; `interval_s` is above 0."""
        self.duration_s = 0.0
        self._path, self._interval_s = path, interval_s

    def __iter__(self) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        with opened(self._path) as (container, stream):
            upright, interval = None, 0
            for frame, self.duration_s in _timed(decoded(container, stream), stream):
                upright = upright or Upright(frame)
                gone = max(interval, ceil(self.duration_s / self._interval_s - 0.5 - ROUNDING))
                shown = range(interval, min(gone, interval + MAX_REPEATS))
                if shown:
                    image = upright(frame)
                for number in shown:
                    yield (number + 0.5) * self._interval_s, image
                interval = gone  # the first interval after this frame
            if upright and interval == 0:
                yield 0.5 * self._interval_s, upright(frame)


def _timed(frames: Iterator[VideoFrame], stream: VideoStream) -> Iterator[tuple[VideoFrame, float]]:
    """Every frame, with its end in seconds from the first one's start.

    Frames without timestamps, and frames whose timestamps do not rise, follow at the nominal rate.
    """
    nominal_s = 1 / float(stream.average_rate or DEFAULT_FPS)
    time_base = float(stream.time_base or 0)
    held, time_s, count = next(frames), 0.0, 1
    for frame in frames:
        step_s = 0.0 if frame.pts is None or held.pts is None else (frame.pts - held.pts) * time_base
        time_s += step_s if step_s > 0 else nominal_s
        yield held, time_s
        held, count = frame, count + 1
    yield held, time_s + (time_s / (count - 1) if count > 1 else nominal_s)
