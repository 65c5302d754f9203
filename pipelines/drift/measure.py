"""Drift of answers: how far what devices answer has moved from a reference.

The population stability index is that of credit scoring (Siddiqi, Credit Risk Scorecards, 2006), where above
0.25 is a major shift and below 0.1 none. A wrong answer is not seen: labels, scores and rejections alone are.
"""

import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from reelflow.documents import Document
from reelflow.edge.health.counts import BINS, DayCounts

SMOOTHING = 0.5
"""Added to every count, so that a label or a score that was never seen has a finite index."""

DriftVerdict = Literal["steady", "drifted", "too few answers"]


class DriftBounds(Document):
    """From when on answers have drifted.

    Attributes:
        index: of the population stability index, of labels and of scores.
        shift: of the mean score, and of the share of unsure answers.
        answers: fewer of them tell nothing.
    """

    index: float = Field(default=0.25, gt=0)
    shift: float = Field(default=0.1, gt=0, le=1)
    answers: int = Field(default=1000, ge=1)


class DriftFinding(Document):
    """One device, or all together, against a reference.

    Attributes:
        whose: id of the device, or `fleet`.
        label_index: population stability index of the labels.
        score_index: of the scores, in ten ranges.
        score_shift: mean score, less that of the reference.
        unsure_shift: share of unsure answers, less that of the reference.
    """

    whose: str
    answers: int
    label_index: float
    score_index: float
    score_shift: float
    unsure_shift: float
    verdict: DriftVerdict
    reasons: tuple[str, ...] = ()


def stability_index(expected: Sequence[int], found: Sequence[int]) -> float:
    """Population stability index of two histograms with the same ranges.

    >>> stability_index([50, 50], [500, 500])
    0.0
    >>> round(stability_index([900, 100], [500, 500]), 2)
    0.88
    """
    count = len(expected)
    total = sum(expected) + SMOOTHING * count, sum(found) + SMOOTHING * count
    shares = [
        ((one + SMOOTHING) / total[0], (other + SMOOTHING) / total[1])
        for one, other in zip(expected, found, strict=True)
    ]
    return sum((other - one) * math.log(other / one) for one, other in shares)


def measure_drift(whose: str, reference: DayCounts, found: DayCounts, bounds: DriftBounds) -> DriftFinding:
    """Compare answers with a reference.

    Args:
        whose: for people.
        reference: of tested clips, or of earlier days.
        found: of the days that are looked at.
        bounds: from when on they have drifted.
    """
    labels = sorted(reference.labels.keys() | found.labels.keys())
    values = {
        "label_index": stability_index(
            [reference.labels.get(label, 0) for label in labels],
            [found.labels.get(label, 0) for label in labels],
        ),
        "score_index": stability_index(reference.scores, found.scores),
        "score_shift": _mean_score(found) - _mean_score(reference),
        "unsure_shift": _unsure(found) - _unsure(reference),
    }
    limits = {"label_index": bounds.index, "score_index": bounds.index}
    reasons = tuple(
        f"{name.replace('_', ' ')} {value:+.2f}, at most {limits.get(name, bounds.shift):g}"
        for name, value in values.items()
        if abs(value) > limits.get(name, bounds.shift)
    )
    few = found.answers < bounds.answers
    verdict: DriftVerdict = "too few answers" if few else "drifted" if reasons else "steady"
    rounded = {name: round(value, 4) for name, value in values.items()}
    return DriftFinding(
        whose=whose, answers=found.answers, **rounded, verdict=verdict, reasons=() if few else reasons
    )


def _mean_score(counts: DayCounts) -> float:
    """Of the middles of the ranges."""
    middles = [(number + 0.5) / BINS for number in range(BINS)]
    return sum(map(float.__mul__, middles, map(float, counts.scores))) / max(counts.answers, 1)


def _unsure(counts: DayCounts) -> float:
    return counts.unsure / max(counts.answers, 1)
