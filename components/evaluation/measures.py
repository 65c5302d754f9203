"""Metrics from scores and truth."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import ClassScores

Scores = NDArray[np.float32]
Truth = NDArray[np.int64]
Matrix = NDArray[np.int64]
AVERAGES = ("macro", "weighted")
MOST_CONFUSED = 5


def top_k_accuracy(scores: Scores, truth: Truth, k: int) -> float:
    """The fraction of clips whose class is among the `k` highest of its scores `(clips, classes)`."""
    return float(is_in_top_k(scores, truth, k).mean())


def is_in_top_k(scores: Scores, truth: Truth, k: int) -> NDArray[np.bool_]:
    """Whether each clip's class is among the `k` highest of its scores, `(clips,)`."""
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found: NDArray[np.bool_] = (best == truth[:, None]).any(axis=1)
    return found


def confusion(scores: Scores, truth: Truth) -> Matrix:
    """Clips by true class (rows) and predicted class (columns), `(classes, classes)`."""
    from sklearn.metrics import confusion_matrix

    classes = np.arange(scores.shape[1])
    matrix: Matrix = confusion_matrix(truth, scores.argmax(axis=1), labels=classes)
    return matrix


def per_class(scores: Scores, truth: Truth, labels: Sequence[str]) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of every class; 0 if the divisor is 0."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        truth, scores.argmax(axis=1), labels=np.arange(len(labels)), zero_division=0
    )
    return tuple(_row(*row) for row in zip(labels, *columns, strict=True))


def averages(scores: Scores, truth: Truth) -> tuple[ClassScores, ...]:
    """Macro and support-weighted means over the classes."""
    from sklearn.metrics import precision_recall_fscore_support

    predicted, classes = scores.argmax(axis=1), np.arange(scores.shape[1])
    rows = []
    for average in AVERAGES:
        precision, recall, f1, _ = precision_recall_fscore_support(
            truth, predicted, labels=classes, average=average, zero_division=0
        )
        rows.append(_row(average, precision, recall, f1, len(truth)))
    return tuple(rows)


def most_confused(matrix: Matrix, labels: Sequence[str]) -> tuple[str, ...]:
    """Up to five classes with the most errors, in the order of `labels`."""
    errors = matrix * (1 - np.eye(len(matrix), dtype=np.int64))
    involved = errors.sum(axis=0) + errors.sum(axis=1)  # (classes,)
    worst = np.argsort(-involved, kind="stable")[:MOST_CONFUSED]
    return tuple(labels[place] for place in sorted(worst) if involved[place])


def _row(label: str, precision: float, recall: float, f1: float, support: int) -> ClassScores:
    return ClassScores(
        label=label, precision=float(precision), recall=float(recall), f1=float(f1), support=int(support)
    )
