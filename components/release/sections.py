"""Contents of the sections on uncertainty: baselines, champion, scores, folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.release.report_text import (
    BASELINE_MEANINGS,
    BASELINE_NAMES,
    VERDICTS,
    below_baselines,
    describe_baseline,
    describe_protocol,
    describe_rejection,
)
from reelflow.artifacts.evaluations import Candidate
from reelflow.charts.canvas import inline
from reelflow.charts.reliability import draw_reliability
from reelflow.contracts import Comparison, Fold, Interval, ReleaseReport

REACHES = (0.1, 0.25, 0.5, 1.0)  # of the axis of a difference


@dataclass(frozen=True)
class FoldRow:
    """One fold, with the accuracy of every candidate on its test clips; None without test clips."""

    fold: Fold
    accuracies: tuple[float | None, ...]


def uncertainty(candidates: Sequence[Candidate], outcome: ReleaseReport) -> dict[str, Any]:
    """Variables of the templates; the first candidate is the chosen one."""
    chosen = candidates[0].report
    training = chosen.training
    return {
        "protocol": describe_protocol(training.protocol, len(training.folds)),
        "folds": fold_rows(candidates) if len(training.folds) > 1 else [],
        "best_baseline": max(chosen.baselines, key=lambda baseline: baseline.accuracy, default=None),
        "below_baselines": below_baselines(chosen.baselines),
        "baseline_names": BASELINE_NAMES,
        "baseline_meanings": BASELINE_MEANINGS,
        "describe_baseline": describe_baseline,
        "baseline_reach": reach([baseline.difference_interval for baseline in chosen.baselines]),
        "reliability": inline(draw_reliability(chosen.calibration), f"Reliability plot of {chosen.name}"),
        "rejection": describe_rejection(chosen.calibration),
        "verdicts": VERDICTS,
        "crossed": crossed(outcome.comparison) if outcome.comparison else None,
    }


def fold_rows(candidates: Sequence[Candidate]) -> list[FoldRow]:
    """One row per fold; all candidates share the folds."""
    found = [_fold_accuracies(candidate) for candidate in candidates]
    return [
        FoldRow(fold, tuple(accuracies.get(place) for accuracies in found))
        for place, fold in enumerate(candidates[0].report.training.folds)
    ]


def _fold_accuracies(candidate: Candidate) -> dict[int, float]:
    """Accuracy by fold index."""
    report = candidate.report
    test = report.training.test
    fold_of = dict(zip(test.clip_ids, test.folds, strict=True))
    folds = np.array([fold_of.get(clip_id, -1) for clip_id in report.clip_ids])  # (test clips,)
    right = candidate.right()
    return {int(fold): float(right[folds == fold].mean()) for fold in np.unique(folds)}


def crossed(comparison: Comparison) -> dict[str, float]:
    """The other two cells of the two-by-two table, and the limit of the axis of the difference."""
    both = round(comparison.clips * comparison.accuracy) - comparison.only_challenger
    apart = comparison.only_challenger + comparison.only_champion
    return {
        "both": both,
        "neither": comparison.clips - both - apart,
        "reach": reach([comparison.difference_interval]),
    }


def reach(intervals: Sequence[Interval]) -> float:
    """The limit of a symmetric axis that shows all intervals."""
    farthest = max((abs(end) for one in intervals for end in (one.low, one.high)), default=0.0)
    return next((round_value for round_value in REACHES if farthest <= round_value), 1.0)
