"""Frames of a video of any length, at moments of presentation time."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.video.clock import Clock, timed
from reelflow.video.decode import Upright, decoded, opened
from reelflow.video.sample import rounding_s

MAX_REPEATS = 100  # of one frame in a stream, however long it is shown


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
            late_s = rounding_s(self._interval_s)
            for frame, end_s in timed(decoded(container, stream), Clock(stream)):
                self.duration_s = float(end_s)
                upright = upright or Upright(frame)
                gone = max(interval, ceil((self.duration_s - late_s) / self._interval_s - 0.5))
                shown = range(interval, min(gone, interval + MAX_REPEATS))
                if shown:
                    image = upright(frame)
                for number in shown:
                    yield (number + 0.5) * self._interval_s, image
                interval = gone  # the first interval after this frame
            if upright and interval == 0:
                yield 0.5 * self._interval_s, upright(frame)
