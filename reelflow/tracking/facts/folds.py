"""The folds of an evaluation, each a run below that of its classifier."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import EvaluationReport

MAX_NAME = 250  # `SqlRun.name` of mlflow.store.tracking.dbmodels.models


@dataclass(frozen=True)
class FoldRun:
    """One fold: a name for people, and its figures."""

    name: str
    metrics: Mapping[str, float]


def fold_runs(report: EvaluationReport, evaluation: Path) -> list[FoldRun]:
    """A run for each fold; none where there is only one, whose figures are those of the classifier.

    Args:
        report: of the evaluation.
        evaluation: its folder.

    Raises:
        BundleError: its scores are damaged.
    """
    folds = report.training.folds
    if len(folds) == 1:
        return []
    right = Candidate(evaluation, report).right()
    places = np.array(report.training.test.folds)
    runs = []
    for number, fold in enumerate(folds):
        counts = {"train_clips": fold.train_clips, "validation_clips": fold.validation_clips}
        tested = right[places == number]
        measured = {"accuracy": float(tested.mean())} if len(tested) else {}
        figures = {**counts, "test_clips": len(tested), "best_epoch": fold.best_epoch, **measured}
        runs.append(FoldRun(fold.name[:MAX_NAME], {name: float(value) for name, value in figures.items()}))
    return runs
