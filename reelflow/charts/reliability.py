"""Reliability plots."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from reelflow.charts.canvas import BLUE, ORANGE, SOFT, in_style, new_figure
from reelflow.contracts import Calibration

LARGEST, SMALLEST = 500.0, 30.0  # areas of dots, in square points


@in_style
def draw_reliability(calibration: Calibration, title: str = "") -> Figure:
    """Draw accuracy by score.

    A dot is the clips of one range of scores; their number is beside it, and its area grows with the
    number. On the diagonal, the accuracy equals the score.
    """
    figure = new_figure(440, 380)
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color=SOFT, linestyle="--", linewidth=1, label="accuracy equals score")
    filled = [one for one in calibration.bins if one.clips]
    scores, right = [one.confidence for one in filled], [one.accuracy for one in filled]
    clips = np.array([one.clips for one in filled])
    axes.vlines(scores, right, scores, color=ORANGE, linewidth=2, label="difference")
    areas = np.maximum(SMALLEST, LARGEST * clips / max(clips, default=1))
    axes.scatter(scores, right, areas, color=BLUE, alpha=0.75, linewidth=0, clip_on=False)
    axes.plot([], [], "o", color=BLUE, label="clips of a range of scores")
    for x, y, area, count in zip(scores, right, areas, clips, strict=True):
        beside = ((area / np.pi) ** 0.5 + 2, 0)
        axes.annotate(f"{count}", (x, y), beside, textcoords="offset points", va="center")
    if calibration.reject_below:
        axes.axvline(calibration.reject_below, color=ORANGE, linestyle=":", label="below: no answer")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axes.set(xlim=(0, 1.05), ylim=(0, 1.05), xlabel="score of the answer", ylabel="right answers")
    axes.grid(axis="y")
    figure.legend(loc="outside lower center", ncols=2)
    if title:
        error = f"expected calibration error {calibration.error:.3f}, {calibration.error_before:.3f} unscaled"
        axes.set_title(f"{title}, temperature {calibration.temperature:.2f}\n{error}")
    return figure
