"""Confusion matrices, readable for two classes and for hundreds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, ListedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from reelflow.charts.canvas import GREY, INK, SOFT, in_style, shorten

MOST_NUMBERED = 24  # maximum of classes for a number in every cell
CELL = 8, 48  # smallest and largest side of a cell
SIDE = 320, 1000  # of the matrix, as far as `CELL` allows
MIN_FONT, MAX_FONT = 6.5, 12
LIGHT_TEXT = 0.7  # share of the darkest cell above which numbers are white
CELLS = "#3366d6"  # in light and dark: an image cannot use CSS variables
SHADES = LinearSegmentedColormap.from_list("shades", [(CELLS, 0.1), (CELLS, 1.0)], N=10)
DIAGONAL = ListedColormap([(GREY, 0.2)])


@in_style
def draw_confusion(matrix: ArrayLike, labels: Sequence[str], *, by_row: bool, title: str = "") -> Figure:
    """Draw a confusion matrix: rows are true classes, columns predicted ones.

    The cells are one small image, so the size of the figure grows with the classes, not with their square.

    Args:
        matrix: clips, `(classes, classes)`.
        labels: of the classes.
        by_row: show percent of the true class instead of clips.
        title: above the matrix.
    """
    values = np.asarray(matrix, float)
    if by_row:
        values = 100 * values / np.maximum(values.sum(axis=1, keepdims=True), 1)
    top = 100.0 if by_row else max(1.0, values.max())
    cell = min(CELL[1], max(CELL[0], SIDE[0] / len(labels)))
    side = min(SIDE[1], cell * len(labels))
    figure = Figure(figsize=(side / 72, side / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    diagonal = np.ma.masked_where((np.eye(len(labels)) == 0) | (values > 0), values)
    axes.imshow(diagonal, cmap=DIAGONAL, interpolation="none")
    shown = np.ma.masked_equal(values, 0)
    image = axes.imshow(shown, cmap=SHADES, vmin=0, vmax=top, interpolation="none")
    _name_classes(axes, labels, side)
    axes.set_title(title)
    if len(labels) <= MOST_NUMBERED:
        _number(axes, values, top)
    else:
        scale = figure.colorbar(image, cax=axes.inset_axes((1.02, 0, 0.02, 1)))
        scale.set_label("percent of the row" if by_row else "clips")
        scale.outline.set_visible(False)
    return figure


def _name_classes(axes: Axes, labels: Sequence[str], side: float) -> None:
    """Labels left and below; only some if all would overlap. Texts are three times faster than ticks."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(True)
    cell = side / len(labels)
    gap, size = -0.5 - 4 / cell, min(MAX_FONT, max(MIN_FONT, 0.8 * cell))
    for place in range(0, len(labels), math.ceil(CELL[0] / cell)):
        name = shorten(labels[place])
        axes.text(gap, place, name, ha="right", va="center", color=SOFT, fontsize=size)
        axes.text(
            place,
            len(labels) - 1 - gap,
            name,
            ha="right",
            va="center",
            rotation=90,
            rotation_mode="anchor",
            color=SOFT,
            fontsize=size,
        )


def _number(axes: Axes, values: NDArray[Any], top: float) -> None:
    for row, column in np.argwhere(values > 0):
        value = values[row, column]
        color = "white" if value > LIGHT_TEXT * top else INK
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", color=color)
