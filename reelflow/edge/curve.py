"""Scores over time at a bounded resolution, however long the video."""

import numpy as np
from numpy.typing import NDArray

POINTS = 512


class Curve:
    """Keeps at most `POINTS` points; when they are full, each two neighbours become their mean.

    Attributes:
        times_s: of the points.
        scores: of the points, each `(classes,)`.
    """

    def __init__(self) -> None:
        """Begin without points."""
        self.times_s: list[float] = []
        self.scores: list[NDArray[np.float64]] = []
        self._size = 1  # samples that make a point
        self._taken = 0  # samples of the next point
        self._sum = np.zeros(1)  # of their times and scores

    def add(self, time_s: float, scores: NDArray[np.floating]) -> None:
        """Take the next sample, later than all others."""
        self._sum = self._sum + np.array([time_s, *scores], np.float64)  # (1 + classes,)
        self._taken += 1
        if self._taken == self._size:
            self.close()

    def close(self) -> None:
        """Make a point of the samples that are left."""
        if not self._taken:
            return
        time_s, *scores = self._sum / self._taken
        self._sum, self._taken = np.zeros(1), 0
        self.times_s.append(float(time_s))
        self.scores.append(np.array(scores))
        if len(self.times_s) == POINTS:
            self._halve()

    def _halve(self) -> None:
        self._size *= 2
        self.times_s = [(a + b) / 2 for a, b in zip(self.times_s[::2], self.times_s[1::2], strict=True)]
        self.scores = [(a + b) / 2 for a, b in zip(self.scores[::2], self.scores[1::2], strict=True)]
