"""Segments, change points and scores of a video of any length, in constant memory.

Frames are sampled as densely as in the clips that the bundle was trained on, and embedded once.
Windows with as many frames as a clip are classified; where features change
(reelflow.edge.changes), or the answer does for as long as a window, a segment ends
(reelflow.edge.segments). Only plain frames count, not further views that `classify` may average.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydantic import Field

from reelflow.commandline import printable
from reelflow.documents import Document
from reelflow.edge.changes import Sample, mark_changes
from reelflow.edge.classifier import LEAST_WINDOW_S, MOST_WINDOW_S, Classifier
from reelflow.edge.segments import DECIMALS, Segment, SegmentBuilder, as_segment
from reelflow.errors import ParamsError
from reelflow.video.stream import FrameStream

LEAST_REACH, LEAST_REACH_S = 3, 0.4  # compared on either side of a change point, in samples and seconds


class Timeline(Document):
    """The segments of a video. Seconds count from its first frame on."""

    bundle: str = Field(description="the bundle's name")
    video: str = Field(description="as given, control characters escaped")
    duration_s: float
    window_s: float = Field(description="duration that one score covers")
    reject_below: float = Field(description="segments with a score below this are rejected")
    segments: tuple[Segment, ...]
    change_points_s: tuple[float, ...] = Field(description="where features change, by time")
    times_s: tuple[float, ...] = Field(description="of `scores`: centres of windows, 512 at most")
    scores: dict[str, tuple[float, ...]] = Field(description="over time, by label")


def make_timeline(classifier: Classifier, video: Path, window_s: float | None = None) -> Timeline:
    """Find the segments of a video.

    Args:
        classifier: a loaded bundle.
        video: of any length. One shorter than a window becomes one segment, found as by `classify`.
        window_s: duration of the training clips; by default that in the bundle.

    Raises:
        ClipError: the video cannot be decoded.
        ParamsError: neither the bundle nor the caller gives the duration of a window.
    """
    window_s = window_of(classifier, window_s)
    interval_s = window_s / classifier.report.sampling.frames
    stream = FrameStream(video, interval_s)
    builder = SegmentBuilder(classifier)
    reach = max(LEAST_REACH, round(LEAST_REACH_S / interval_s))
    for sample, begins in mark_changes(_embedded(classifier, stream), reach):
        builder.add(sample, begins=begins)
    builder.end(stream.duration_s)
    found = _document(classifier, video, window_s, builder, stream.duration_s)
    if stream.duration_s >= window_s:
        return found
    answer = classifier.classify(video)
    scores = {label: (round(score, 4),) for label, score in answer.scores.items()}
    whole = as_segment(0.0, found.duration_s, answer)
    short = {
        "segments": (whole,),
        "change_points_s": (),
        "times_s": (found.duration_s / 2,),
        "scores": scores,
    }
    return found.model_copy(update=short)


def window_of(classifier: Classifier, window_s: float | None) -> float:
    """Seconds that one score covers.

    Raises:
        ParamsError: neither the bundle nor the caller gives them.
    """
    found = window_s or classifier.report.sampling.clip_s
    if not LEAST_WINDOW_S <= found <= MOST_WINDOW_S:
        told = f"says its clips were {found:g} s long" if found else "does not say how long its clips were"
        raise ParamsError(f"the bundle {classifier.report.name} {told}: name a window, --window SECONDS")
    return found


def _embedded(classifier: Classifier, stream: FrameStream) -> Iterator[Sample]:
    """Moments and codes; a frame that stays is embedded once."""
    shown = None
    for time_s, image in stream:
        if image is not shown:
            codes, shown = classifier.codes_from_frames(image[None])[0], image  # (1, dim) -> (dim,)
        yield time_s, codes


def _document(
    classifier: Classifier, video: Path, window_s: float, builder: SegmentBuilder, duration_s: float
) -> Timeline:
    builder.curve.close()
    rows = np.round(builder.curve.scores, 4).T.tolist()  # (points, classes) -> (classes, points)
    return Timeline(
        bundle=classifier.report.name,
        video=printable(str(video)),
        duration_s=round(duration_s, DECIMALS),
        window_s=round(window_s, DECIMALS),
        reject_below=classifier.report.reject_below,
        segments=tuple(builder.segments),
        change_points_s=tuple(builder.change_points_s),
        times_s=tuple(round(time_s, DECIMALS) for time_s in builder.curve.times_s),
        scores=dict(zip(classifier.report.labels, map(tuple, rows), strict=True)),
    )
