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


class Moments:
    """The middle of every interval, each given to the frame that is shown then.

    Attributes:
        interval_s: above 0.
        given: moments so far.
    """

    def __init__(self, interval_s: float) -> None:
        """None is given yet."""
        self.interval_s, self.given = interval_s, 0
        self._late_s = rounding_s(interval_s)

    def until(self, end_s: float) -> list[float]:
        """The moments at which a frame is shown that ends then, `MAX_REPEATS` at most, in seconds."""
        first = self.given
        self.given = max(first, ceil((end_s - self._late_s) / self.interval_s - 0.5))
        return [self.at(number) for number in range(first, min(self.given, first + MAX_REPEATS))]

    def at(self, number: int) -> float:
        """The middle of an interval."""
        return (number + 0.5) * self.interval_s


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
            upright, moments = None, Moments(self._interval_s)
            for frame, end_s in timed(decoded(container, stream), Clock(stream)):
                self.duration_s = float(end_s)
                upright = upright or Upright(frame)
                shown = moments.until(self.duration_s)
                if shown:
                    image = upright(frame)
                for time_s in shown:
                    yield time_s, image
            if upright and not moments.given:
                yield moments.at(0), upright(frame)
