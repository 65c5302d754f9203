"""A figure of the gap: each classifier's accuracy on both cuts, with intervals, and what was published."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.studies.comparison.gap import NAMES, Published
from pipelines.studies.ucf101.cuts import OFFICIAL, RANDOM, Cuts
from pipelines.studies.ucf101.results import Pair, Results
from reelflow.charts.canvas import BLUE, GREY, ORANGE, in_style, new_figure, save, shorten

FILE = "cuts.png"
COLORS = {OFFICIAL: BLUE, RANDOM: ORANGE}
ROW = 46  # points
OFFSET = 0.16  # of a row, between the two cuts


@in_style
def draw_cuts(cuts: Cuts, published: Published) -> Figure:
    """Draw one row a classifier."""
    pairs = cuts.pairs
    figure = new_figure(680, 90 + ROW * len(pairs))
    axes = figure.subplots()
    for sign, (name, results) in zip((-1, 1), cuts.by_name.items(), strict=False):
        _draw_results(axes, name, results, pairs, sign * OFFSET)
    places = [(place, published[pair]) for place, pair in enumerate(pairs) if pair in published]
    if places:
        values = [float(value) for _, value in places]
        axes.plot(
            values, [place for place, _ in places], "D", color=GREY, fillstyle="none", label="published"
        )
    axes.set_yticks(range(len(pairs)), [f"{shorten(backbone)}\n{shorten(head)}" for backbone, head in pairs])
    axes.set(xlim=(0, 1.02), ylim=(len(pairs) - 0.5, -0.5), xlabel="accuracy, with a 95 % interval by group")
    axes.grid(axis="x")
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _draw_results(axes: Axes, name: str, results: Results, pairs: Sequence[Pair], offset: float) -> None:
    for place, pair in enumerate(pairs):
        found, height = results.by_pair[pair], place + offset
        ends = (found.interval.low, found.interval.high)
        axes.plot(ends, (height, height), color=COLORS[name], linewidth=2, solid_capstyle="butt")
        label = NAMES[name] if place == 0 else None
        axes.plot([found.accuracy], [height], "o", color=COLORS[name], label=label)


def save_cuts(cuts: Cuts, published: Published, folder: Path) -> None:
    """Write the figure into a folder.

    Raises:
        StorageError: the disk is full or read-only.
    """
    save(draw_cuts(cuts, published), folder / FILE)
