"""Confusion matrices, per-class bars and reliability, readable for two classes and for a hundred."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import Calibration, ClassScores
from reelflow.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_NUMBERED = 30  # classes up to which every cell bears its number
MAX_LABEL = 40
MEASURES = (("precision", "tab:blue"), ("recall", "tab:orange"), ("f1", "tab:green"))


def draw_confusion(matrix: NDArray[Any], labels: Sequence[str], title: str, path: Path) -> None:
    """A matrix `(classes, classes)`, rows true, columns predicted; fractions if it is of floats."""
    side_inches = 3.5 + min(0.45, 14 / len(labels)) * len(labels)
    figure = _figure(side_inches, side_inches * 0.9)
    axes = figure.subplots()
    top = 1 if matrix.dtype.kind == "f" else max(int(matrix.max()), 1)
    image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=top)
    figure.colorbar(image, ax=axes, fraction=0.04)
    places, size = range(len(labels)), _font_size(len(labels))
    axes.set_xticks(places, _plain(labels), rotation=90, fontsize=size)
    axes.set_yticks(places, _plain(labels), fontsize=size)
    axes.set(xlabel="predicted", ylabel="actual", title=title)
    if len(labels) <= MOST_NUMBERED:
        _number(axes, matrix, top)
    _save(figure, path)


def draw_per_class(rows: Sequence[ClassScores], title: str, path: Path) -> None:
    """Horizontal bars of precision, recall and F1, one group a class."""
    figure = _figure(8, 1.6 + max(0.18, 0.5 - 0.01 * len(rows)) * len(rows))
    axes = figure.subplots()
    places = np.arange(len(rows))
    for offset, (measure, color) in zip((-0.27, 0, 0.27), MEASURES, strict=True):
        values = [getattr(row, measure) for row in rows]
        axes.barh(places + offset, values, height=0.25, color=color, label=measure)
    names = [f"{row.label} ({row.support})" for row in rows]
    axes.set_yticks(places, _plain(names), fontsize=_font_size(len(rows)))
    axes.set(xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5), title=f"{title}: class (clips)")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(MEASURES))
    _save(figure, path)


def draw_reliability(calibration: Calibration, title: str, path: Path) -> None:
    """How often clips of about one best score are right, against that score; and how many there are."""
    figure = _figure(6, 6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    bins = calibration.bins
    starts, width = np.arange(len(bins)) / len(bins), 1 / len(bins)
    above.bar(starts, [row.accuracy for row in bins], width, align="edge", edgecolor="white", label="right")
    above.plot(
        (0, 1), (0, 1), color="black", linestyle="--", linewidth=1, label="scores that mean what they say"
    )
    filled = [row for row in bins if row.clips]
    places = [row.confidence for row in filled], [row.accuracy for row in filled]
    above.plot(*places, "o", color="tab:orange", label="mean score of a range")
    below.bar(starts, [row.clips for row in bins], width, align="edge", edgecolor="white")
    if calibration.reject_below:
        for axes in (above, below):
            axes.axvline(calibration.reject_below, color="tab:red", label="below: no answer")
    error = f"expected calibration error {calibration.error:.3f}, {calibration.error_before:.3f} unscaled"
    above.set(ylim=(0, 1.04), ylabel="fraction right", title=f"{_plain([title])[0]}\n{error}")
    below.set(xlim=(0, 1), ylabel="clips", xlabel=f"best score, temperature {calibration.temperature:.2f}")
    figure.legend(*above.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    _save(figure, path)


def _figure(width_inches: float, height_inches: float) -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width_inches, height_inches), dpi=120, layout="constrained")


def _font_size(classes: int) -> float:
    return max(5.5, 10 - classes / 20)


def _plain(labels: Sequence[str]) -> list[str]:
    """Labels that fit beside a figure, and that matplotlib takes literally, not as formulas."""
    short = [label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…" for label in labels]
    return [label.replace("$", r"\$") for label in short]


def _number(axes: Any, matrix: NDArray[Any], top: float) -> None:
    for (row, column), value in np.ndenumerate(matrix):
        text = f"{value:.2f}" if matrix.dtype.kind == "f" else str(value)
        color = "white" if value > top / 2 else "black"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize=8)


def _save(figure: "Figure", path: Path) -> None:
    with atomic(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # a box stands for it
        figure.savefig(partial, format="png")
