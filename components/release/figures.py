"""Geometry of the report's charts; `charts.html.j2` draws them. All lengths are in SVG units."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reelflow.contracts import Bin

LEVELS = 10  # shades of a confusion matrix
MOST_NUMBERED = 24  # classes up to which every cell bears its number
MAX_LABEL = 22  # characters
CHARACTER = 7.4


@dataclass(frozen=True)
class Line:
    """One curve: its name, its path, and the point of the kept epoch."""

    name: str
    path: str
    dot: tuple[float, float]
    value: float


@dataclass(frozen=True)
class CurveChart:
    """Figures an epoch, for training and validation."""

    title: str
    lines: tuple[Line, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]
    marker: float

    width = 420
    height = 220
    left = 46
    right = 12
    top = 12
    bottom = 34

    @classmethod
    def x(cls, epoch: float, epochs: int) -> float:
        """Place of an epoch; the first one stands at the left edge."""
        return round(cls.left + (cls.width - cls.left - cls.right) * (epoch - 1) / max(1, epochs - 1), 1)

    @classmethod
    def y(cls, value: float, top: float) -> float:
        """Place of a value; 0 stands at the bottom edge."""
        return round(cls.height - cls.bottom - (cls.height - cls.bottom - cls.top) * value / top, 1)


def curve_chart(
    title: str, curves: Mapping[str, Sequence[float]], kept_epoch: int, ceiling: float | None
) -> CurveChart:
    """Lay out curves of the same length.

    Args:
        title: what the figures are.
        curves: by name, the first value being that of epoch 1.
        kept_epoch: whose weights were kept.
        ceiling: the highest value of the axis, or as high as the curves go.
    """
    epochs = max(len(values) for values in curves.values())
    top = ceiling or 1.05 * max(max(values) for values in curves.values()) or 1.0
    columns = sorted({1.0, *ticks(epochs)} - {0.0})
    return CurveChart(
        title=title,
        lines=tuple(_line(name, values, kept_epoch, top) for name, values in curves.items()),
        rows=tuple((CurveChart.y(value, top), f"{value:g}") for value in ticks(top)),
        columns=tuple((CurveChart.x(epoch, epochs), f"{epoch:g}") for epoch in columns if epoch % 1 == 0),
        marker=CurveChart.x(kept_epoch, epochs),
    )


def _line(name: str, values: Sequence[float], kept_epoch: int, top: float) -> Line:
    points = [(CurveChart.x(epoch, len(values)), CurveChart.y(v, top)) for epoch, v in enumerate(values, 1)]
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    return Line(name, path, points[kept_epoch - 1], values[kept_epoch - 1])


def ticks(top: float) -> list[float]:
    """About five round values from 0 to `top`."""
    magnitude = 10 ** math.floor(math.log10(top / 5))
    step = next(factor * magnitude for factor in (1, 2, 5, 10) if factor * magnitude * 5 >= top * 0.999)
    return [round(count * step, 9) for count in range(math.floor(top / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Dot:
    """Clips of one range of scores: place, radius, and what a reader sees on pointing at it."""

    x: float
    y: float
    radius: float
    title: str


@dataclass(frozen=True)
class ReliabilityChart:
    """Accuracy over score; a classifier that keeps its word has every dot on the diagonal."""

    dots: tuple[Dot, ...]
    rows: tuple[tuple[float, str], ...]
    columns: tuple[tuple[float, str], ...]

    width = 352
    height = 300
    left = 52
    right = 26
    top = 14
    bottom = 46

    @classmethod
    def x(cls, score: float) -> float:
        """Place of a score from 0 to 1."""
        return round(cls.left + (cls.width - cls.left - cls.right) * score, 1)

    @classmethod
    def y(cls, accuracy: float) -> float:
        """Place of an accuracy from 0 to 1; 0 stands at the bottom edge."""
        return round(cls.height - cls.bottom - (cls.height - cls.bottom - cls.top) * accuracy, 1)


def reliability_chart(bins: Sequence[Bin]) -> ReliabilityChart:
    """Lay out a reliability plot; a dot's area grows with its clips, empty ranges have none."""
    most = max((one.clips for one in bins), default=0)
    scale = [(value, f"{100 * value:.0f} %") for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return ReliabilityChart(
        dots=tuple(_dot(one, most) for one in bins if one.clips),
        rows=tuple((ReliabilityChart.y(value), text) for value, text in scale),
        columns=tuple((ReliabilityChart.x(value), text) for value, text in scale),
    )


def _dot(one: Bin, most: int) -> Dot:
    clips = f"{one.clips} clip{'s' if one.clips != 1 else ''}"
    title = f"{clips}: scores of {100 * one.confidence:.0f} % on average, {100 * one.accuracy:.0f} % right"
    radius = round(max(3.0, 14 * math.sqrt(one.clips / most)), 1)
    return Dot(ReliabilityChart.x(one.confidence), ReliabilityChart.y(one.accuracy), radius, title)


@dataclass(frozen=True)
class MatrixChart:
    """A confusion matrix: rows are true classes, columns predicted ones.

    Attributes:
        shades: path of all cells of a level, 1 to 10.
        numbers: x, y, text and level of the cells that bear a number.
        labels: place, shortened and full name of every class.
    """

    side: float
    margin: float
    cell: float
    font: float
    shades: tuple[tuple[int, str], ...]
    numbers: tuple[tuple[float, float, str, int], ...]
    labels: tuple[tuple[float, str, str], ...]


def matrix_chart(matrix: Sequence[Sequence[int]], labels: Sequence[str], *, by_row: bool) -> MatrixChart:
    """Lay out a confusion matrix.

    Args:
        matrix: clips, `(classes, classes)`.
        labels: of the classes.
        by_row: show percent of the true class instead of clips.
    """
    counts = np.array(matrix, float)  # (classes, classes)
    values = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) if by_row else counts
    top = 100 if by_row else max(1, counts.max())
    cell = min(52.0, max(8.0, 320 / len(labels)))
    names = [shorten(label) for label in labels]
    font = min(12.0, max(6.5, cell * 0.8))
    margin = max(len(name) for name in names) * CHARACTER * font / 12 + 10
    shades: dict[int, list[str]] = defaultdict(list)
    numbers = []
    for row, column in np.argwhere(counts > 0):
        value = values[row, column]
        level = max(1, math.ceil(LEVELS * value / top))
        shades[level].append(f"M{column} {row}h1v1h-1z")
        numbers.append(((column + 0.5) * cell, (row + 0.5) * cell, f"{value:.0f}", level))
    return MatrixChart(
        side=cell * len(labels),
        margin=round(margin, 1),
        cell=cell,
        font=font,
        shades=tuple((level, "".join(cells)) for level, cells in sorted(shades.items())),
        numbers=tuple(numbers) if len(labels) <= MOST_NUMBERED else (),
        labels=tuple(
            (round((place + 0.5) * cell, 1), short, label)
            for place, (short, label) in enumerate(zip(names, labels, strict=True))
        ),
    )


def shorten(label: str) -> str:
    """A label that fits beside a chart."""
    return label if len(label) <= MAX_LABEL else label[: MAX_LABEL - 1] + "…"


def confusions(
    matrix: Sequence[Sequence[int]], labels: Sequence[str], most: int = 10
) -> list[tuple[str, str, int, int]]:
    """The most frequent errors: true class, predicted class, clips, clips of the true class."""
    found = [
        (labels[actual], labels[predicted], clips, sum(row))
        for actual, row in enumerate(matrix)
        for predicted, clips in enumerate(row)
        if clips and actual != predicted
    ]
    return sorted(found, key=lambda error: -error[2])[:most]
