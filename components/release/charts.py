"""The charts of the report, as inline SVG, and the most frequent errors."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelflow.artifacts.evaluations import Candidate
from reelflow.charts.canvas import inline
from reelflow.charts.confusion import draw_confusion
from reelflow.charts.curves import MEASURES, draw_curves

MOST_ERRORS = 10


@dataclass(frozen=True)
class CandidateCharts:
    """The charts of one candidate, and its most frequent errors.

    Attributes:
        candidate: the classifier.
        by_row: confusion matrix, percent of the true class.
        clips: confusion matrix, clips.
        curves: caption and chart of each learning curve.
        errors: true class, predicted class, clips, clips of the true class.
    """

    candidate: Candidate
    by_row: str
    clips: str
    curves: tuple[tuple[str, str], ...]
    errors: list[tuple[str, str, int, int]]


def draw_candidate(candidate: Candidate) -> CandidateCharts:
    """Draw all charts of a candidate."""
    report, training = candidate.report, candidate.report.training
    matrix, labels, name = report.confusion, report.labels, report.name

    def curve(measure: str) -> tuple[str, str]:
        figure = draw_curves(training.curves, training.best_epoch, measures=[measure])
        return measure.capitalize(), inline(figure, f"{measure.capitalize()} of {name} over the epochs")

    return CandidateCharts(
        candidate=candidate,
        by_row=inline(
            draw_confusion(matrix, labels, by_row=True),
            f"Confusion matrix of {name}, percent of the true class",
        ),
        clips=inline(draw_confusion(matrix, labels, by_row=False), f"Confusion matrix of {name}, test clips"),
        curves=tuple(map(curve, MEASURES)),
        errors=most_frequent_errors(matrix, labels),
    )


def most_frequent_errors(
    matrix: Sequence[Sequence[int]], labels: Sequence[str]
) -> list[tuple[str, str, int, int]]:
    """True class, predicted class, clips, clips of the true class; most clips first."""
    found = [
        (labels[actual], labels[predicted], clips, sum(row))
        for actual, row in enumerate(matrix)
        for predicted, clips in enumerate(row)
        if clips and actual != predicted
    ]
    return sorted(found, key=lambda error: -error[2])[:MOST_ERRORS]
