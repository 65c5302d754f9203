"""The tables and figures of an evaluation."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from components.evaluation.figures import draw_confusion, draw_per_class, draw_reliability
from components.evaluation.measures import Scores, most_confused
from reelflow.contracts import EvaluationReport
from reelflow.files import write_csv, write_text

FEW_CLASSES = 6  # up to which the whole confusion matrix is small enough


def write_tables(report: EvaluationReport, scores: Scores, folder: Path) -> None:
    """`metrics.json`, `per_class.csv` and `confusion.csv`, the latter one row a clip."""
    write_text(folder / "metrics.json", json.dumps(report.metrics, indent=2, sort_keys=True) + "\n")
    measured = ((row.label, row.precision, row.recall, row.f1, row.support) for row in report.per_class)
    rows = ((label, *(f"{value:.4f}" for value in values), support) for label, *values, support in measured)
    write_csv(folder / "per_class.csv", ("label", "precision", "recall", "f1", "support"), rows)
    pairs = zip(report.truth, scores.argmax(axis=1), strict=True)
    names = ((report.labels[actual], report.labels[predicted]) for actual, predicted in pairs)
    write_csv(folder / "confusion.csv", ("actual", "predicted"), names)


def write_figures(report: EvaluationReport, chosen: Sequence[str], folder: Path) -> None:
    """Confusion matrices, raw, by true class, and of the chosen classes; bars a class; reliability."""
    matrix = np.array(report.confusion)  # (classes, classes)
    support = np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # (classes, 1)
    draw_confusion(matrix, report.labels, report.name, folder / "confusion.png")
    draw_confusion(matrix / support, report.labels, report.name, folder / "confusion_normalised.png")
    if not chosen and len(report.labels) > FEW_CLASSES:
        chosen = most_confused(matrix, report.labels)
    if chosen:
        places = [report.labels.index(label) for label in chosen]
        part = matrix[np.ix_(places, places)]  # (chosen, chosen)
        draw_confusion(part, chosen, f"{report.name}, some classes", folder / "confusion_chosen.png")
    draw_per_class(report.per_class, report.name, folder / "per_class.png")
    draw_reliability(report.calibration, report.name, folder / "reliability.png")
