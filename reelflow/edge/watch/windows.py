"""Scores of the newest window of frames, each frame embedded once, in constant memory."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.camera.wire import Told
from reelflow.edge.classifier import Classifier
from reelflow.edge.watch.stages import StageClock

MOST_FILLED = 0.5  # of a window: frames that came too fast are taken to show what the one before them did


class WindowScores(NamedTuple):
    """The scores of one window.

    Attributes:
        time_s: of its newest frame.
        taken_s: when that was taken, on the clock that never jumps.
        scores: calibrated probabilities `(classes,)`.
    """

    time_s: float
    taken_s: float
    scores: NDArray[np.float32]


class Windows:
    """Keeps the codes of one window; answers every hop, and never over a break in time."""

    def __init__(
        self, classifier: Classifier, interval_s: float, hop_s: float, stages: StageClock | None = None
    ) -> None:
        """Empty.

        Args:
            classifier: a loaded bundle.
            interval_s: between two frames.
            hop_s: between two answers; one frame at least.
            stages: where the time is counted.
        """
        self._stages = stages or StageClock()
        self._classifier, self._interval_s = classifier, interval_s
        self._frames = classifier.report.sampling.frames
        self._hop = max(1, round(hop_s / interval_s))
        self._codes: deque[NDArray[np.generic]] = deque(maxlen=self._frames)  # of (views, width)
        self._last_s: float | None = None
        self._since = self._hop

    def clear(self) -> None:
        """Forget all frames: what comes does not go together with them."""
        self._codes.clear()
        self._last_s, self._since = None, self._hop

    def add(self, told: Told) -> Iterator[WindowScores]:
        """Take a picture at its moments."""
        assert told.image is not None
        if told.header.begins:
            self.clear()
        with self._stages.measured("embedding"):
            # (views, 1, width) -> (views, width)
            codes = self._classifier.codes_of_views(told.image[None])[:, 0]
        for time_s in told.header.times_s:
            self._fill(time_s)
            self._append(codes)
            self._last_s = time_s
            if len(self._codes) == self._frames and self._since >= self._hop:
                self._since = 0
                yield WindowScores(time_s, told.header.taken_s, self._scores())

    def _fill(self, time_s: float) -> None:
        """Where frames were dropped, show the one before them for longer; where many were, begin anew."""
        if self._last_s is None:
            return
        missing = round((time_s - self._last_s) / self._interval_s) - 1
        if missing > MOST_FILLED * self._frames:
            self.clear()
        for _ in range(missing if self._codes else 0):
            self._append(self._codes[-1])

    def _append(self, codes: NDArray[np.generic]) -> None:
        self._codes.append(codes)
        self._since += 1

    def _scores(self) -> NDArray[np.float32]:
        codes = np.stack(self._codes, axis=1)  # frames of (views, width) -> (views, frames, width)
        with self._stages.measured("head"):
            return self._classifier.calibrated(self._classifier.scores_from_views(codes))
