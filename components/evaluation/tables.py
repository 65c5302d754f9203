"""The tables of an evaluation."""

import json
from pathlib import Path

from components.evaluation.measures import Scores
from reelflow.contracts import EvaluationReport
from reelflow.files import write_csv, write_text


def write_tables(report: EvaluationReport, scores: Scores, folder: Path) -> None:
    """Write `metrics.json`, `per_class.csv`, and `confusion.csv` with one row per clip."""
    write_text(folder / "metrics.json", json.dumps(report.metrics, indent=2, sort_keys=True) + "\n")
    measured = ((row.label, row.precision, row.recall, row.f1, row.support) for row in report.per_class)
    rows = ((label, *(f"{value:.4f}" for value in values), support) for label, *values, support in measured)
    write_csv(folder / "per_class.csv", ("label", "precision", "recall", "f1", "support"), rows)
    pairs = zip(report.truth, scores.argmax(axis=1), strict=True)
    names = ((report.labels[actual], report.labels[predicted]) for actual, predicted in pairs)
    write_csv(folder / "confusion.csv", ("actual", "predicted"), names)
