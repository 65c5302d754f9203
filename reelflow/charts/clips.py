"""Clips per class, as in papers on data sets."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reelflow.charts.canvas import in_style, new_figure, shorten
from reelflow.contracts import Clip

EDGES_S = (1, 2, 3, 5, 7, 10, 15, 20, 30, 60)
WIDTH, BAR = 620, 16


@in_style
def draw_clips_per_class(clips: Sequence[Clip]) -> Figure:
    """Draw one bar per class, its clips stacked by duration; the height depends on the classes."""
    labels = sorted({clip.label for clip in clips})
    counted = _by_duration(clips)
    figure = new_figure(WIDTH, 110 + BAR * len(labels))
    axes = figure.subplots()
    colors = colormaps["viridis"](np.linspace(0.9, 0.15, len(counted)))
    left = np.zeros(len(labels), int)
    for (name, counts), color in zip(counted.items(), colors, strict=True):
        widths = np.array([counts[label] for label in labels])
        axes.barh(range(len(labels)), widths, left=left, color=color, label=name, height=0.8)
        left += widths
    axes.set_yticks(range(len(labels)), list(map(shorten, labels)), fontsize=10)
    axes.set(ylim=(len(labels) - 0.4, -0.6), xlabel="clips")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.legend(title="duration", loc="outside right upper")
    return figure


def _by_duration(clips: Sequence[Clip]) -> dict[str, Counter[str]]:
    """Clips of each class by range of duration, shortest first; empty ranges are left out."""
    ranges: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        ranges[sum(clip.duration_s >= edge for edge in EDGES_S)][clip.label] += 1
    return {_name(place): ranges[place] for place in sorted(ranges)}


def _name(place: int) -> str:
    if place == 0:
        return f"under {EDGES_S[0]} s"
    if place == len(EDGES_S):
        return f"{EDGES_S[-1]} s and more"
    return f"{EDGES_S[place - 1]} to {EDGES_S[place]} s"
