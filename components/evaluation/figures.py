"""The figures of an evaluation, as PNG files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from components.evaluation.measures import most_confused
from reelflow.charts.canvas import BLUE, GREEN, ORANGE, in_style, new_figure, save, shorten
from reelflow.charts.confusion import draw_confusion
from reelflow.charts.curves import draw_curves
from reelflow.charts.reliability import draw_reliability
from reelflow.contracts import ClassScores, EvaluationReport

FEW_CLASSES = 6  # classes up to which the whole confusion matrix is readable
MEASURES = (("precision", BLUE), ("recall", ORANGE), ("f1", GREEN))
WIDTH, CLASS = 620, 24


def write_figures(report: EvaluationReport, chosen: Sequence[str], folder: Path) -> None:
    """Confusion matrices (raw, by true class, of the chosen classes), bars a class, reliability, curves."""
    matrix, labels = np.array(report.confusion), report.labels  # (classes, classes)
    title = f"{report.name}: rows actual, columns predicted"
    save(draw_confusion(matrix, labels, by_row=False, title=title), folder / "confusion.png")
    save(draw_confusion(matrix, labels, by_row=True, title=title), folder / "confusion_normalised.png")
    if not chosen and len(labels) > FEW_CLASSES:
        chosen = most_confused(matrix, labels)
    if chosen:
        places = [labels.index(label) for label in chosen]
        part = matrix[np.ix_(places, places)]  # (chosen, chosen)
        some = draw_confusion(part, chosen, by_row=False, title=f"{title}, some classes")
        save(some, folder / "confusion_chosen.png")
    save(draw_per_class(report.per_class, report.name), folder / "per_class.png")
    save(draw_reliability(report.calibration, report.name), folder / "reliability.png")
    save(draw_training(report), folder / "curves.png")


def draw_training(report: EvaluationReport) -> Figure:
    """Draw the learning curves of the first fold whose best epoch is the one in the report."""
    training = report.training
    fold = next(fold for fold in training.folds if fold.best_epoch == training.best_epoch)
    title = f"{report.name}, {shorten(fold.name)}"
    return draw_curves(training.curves, training.best_epoch, title=title)


@in_style
def draw_per_class(rows: Sequence[ClassScores], title: str) -> Figure:
    """Draw horizontal bars of precision, recall and F1, one group per class."""
    figure = new_figure(WIDTH, 100 + CLASS * len(rows))
    axes = figure.subplots()
    places = np.arange(len(rows))
    for offset, (measure, color) in zip((-0.27, 0, 0.27), MEASURES, strict=True):
        values = [getattr(row, measure) for row in rows]
        axes.barh(places + offset, values, height=0.25, color=color, label=measure)
    axes.set_yticks(places, [f"{shorten(row.label)} ({row.support})" for row in rows], fontsize=10)
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), title=f"{title}: class (clips)")
    axes.grid(axis="x")
    figure.legend(loc="outside lower center", ncols=len(MEASURES))
    return figure
