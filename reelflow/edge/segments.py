"""Turns a stream of codes into segments with one label each."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from reelflow.documents import Document
from reelflow.edge.changes import Sample
from reelflow.edge.classifier import Answer, Classification, Classifier
from reelflow.edge.curve import Curve
from reelflow.video.sample import uniform_indices

DECIMALS = 3  # of seconds
WINDOWS_AT_ONCE = 4  # windows over each moment; as many in a row must agree before a new segment starts

Scores = NDArray[np.float64]


class Segment(Document):
    """A part of a video, in seconds from its beginning."""

    start_s: float = Field(ge=0)
    end_s: float = Field(ge=0)
    label: str | None = Field(description="null where the score is too low for an answer")
    best_guess: str
    score: float = Field(ge=0, le=1, description="mean of the best guess's scores")


@dataclass(frozen=True)
class Stretch:
    """A part of a video without a change.

    Attributes:
        start_s: from the video's beginning.
        end_s: from the video's beginning.
        scores: mean probabilities `(classes,)`.
    """

    start_s: float
    end_s: float
    scores: Scores

    def joined(self, following: "Stretch") -> "Stretch":
        """This one and the one after it; scores count by duration."""
        lengths = np.maximum([self.end_s - self.start_s, following.end_s - following.start_s], 1e-6)
        scores = np.average([self.scores, following.scores], axis=0, weights=lengths)
        return Stretch(self.start_s, following.end_s, scores)


class SegmentBuilder:
    """Consumes samples in order of time; keeps one window of them and the segments found so far.

    A stretch ends at a change point, and where `WINDOWS_AT_ONCE` windows in a row have another
    answer than those before them, as when one action follows another in the same scene. It gets the
    mean score of its windows; one shorter than a window is spread over a window, as `classify`
    spreads a short clip.

    Attributes:
        segments: all that are finished; neighbours have different answers.
        change_points_s: where features change.
        curve: scores over time.
    """

    def __init__(self, classifier: Classifier) -> None:
        """Begin at 0 s."""
        self.segments: list[Segment] = []
        self.change_points_s: list[float] = []
        self.curve = Curve()
        self._classifier = classifier
        self._frames = classifier.report.sampling.frames
        self._hop = max(1, self._frames // WINDOWS_AT_ONCE)
        self._window: deque[Sample] = deque(maxlen=self._frames)
        self._last: Stretch | None = None
        self._begin(0.0)

    def add(self, sample: Sample, *, begins: bool) -> None:
        """Take the next sample; `begins` says that features change with it."""
        if begins:
            boundary_s = round((self._window[-1][0] + sample[0]) / 2, DECIMALS)
            self.change_points_s.append(boundary_s)
            self._close(boundary_s)
            self._begin(boundary_s)
        self._window.append(sample)
        self._count += 1
        if self._count >= self._frames and (self._count - self._frames) % self._hop == 0:
            self._look(range(self._frames))

    def end(self, duration_s: float) -> None:
        """Finish the last segment where the video ends."""
        self._close(max(round(duration_s, DECIMALS), self._start_s))
        if self._last:
            self._finish(self._last)

    def _begin(self, start_s: float) -> None:
        self._window.clear()
        self._count = 0
        self._begin_stretch(start_s)

    def _begin_stretch(self, start_s: float) -> None:
        self._start_s, self._looks = start_s, 0
        self._sum: Scores = np.zeros(len(self._classifier.report.labels))
        self._others: list[tuple[float, Scores]] = []  # the last windows, if they have another answer

    def _look(self, places: Iterable[int]) -> None:
        """Classify the samples at these places of the window."""
        codes = np.stack([self._window[place][1] for place in places])  # (frames, dim)
        scores = self._classifier.calibrated(self._classifier.scores_from_features(codes)).astype(np.float64)
        middle_s = (self._window[0][0] + self._window[-1][0]) / 2
        self.curve.add(middle_s, scores)
        if self._others and not self._agree(self._others[-1][1], scores):
            self._take_others()
        if self._looks and not self._agree(self._sum / self._looks, scores):
            self._others.append((middle_s, scores))
        else:
            self._take_others()
            self._take(scores)
        if len(self._others) == WINDOWS_AT_ONCE:
            self._split()

    def _agree(self, one: Scores, other: Scores) -> bool:
        return self._classifier.answer(one).same_as(self._classifier.answer(other))

    def _take(self, scores: Scores) -> None:
        self._sum += scores
        self._looks += 1

    def _take_others(self) -> None:
        """A short deviation: these windows count like all others."""
        for _, scores in self._others:
            self._take(scores)
        self._others = []

    def _split(self) -> None:
        """End the stretch in the middle of the first window that has another answer."""
        others, boundary_s = self._others, round(self._others[0][0], DECIMALS)
        self._others = []
        self._close(boundary_s)
        self._begin_stretch(boundary_s)
        for _, scores in others:
            self._take(scores)

    def _close(self, end_s: float) -> None:
        self._take_others()
        if self._looks == 0:
            self._look(uniform_indices(len(self._window), self._frames))
        stretch = Stretch(self._start_s, end_s, self._sum / self._looks)
        if self._last and self._agree(self._last.scores, stretch.scores):
            stretch = self._last.joined(stretch)
        elif self._last:
            self._finish(self._last)
        self._last = stretch

    def _finish(self, stretch: Stretch) -> None:
        answer = self._classifier.answer(stretch.scores)
        self.segments.append(as_segment(stretch.start_s, stretch.end_s, answer))


def as_segment(start_s: float, end_s: float, answer: Answer | Classification) -> Segment:
    """The answer for a part of a video."""
    return Segment(
        start_s=start_s,
        end_s=end_s,
        label=None if answer.rejected else answer.label,
        best_guess=answer.label,
        score=round(answer.score, 4),
    )
