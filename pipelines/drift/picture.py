"""Drift as a picture: each device's figures beside their bounds."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from pipelines.drift.measure import DriftBounds, DriftFinding
from reelflow.charts.canvas import BLUE, GREY, ORANGE, SOFT, in_style, new_figure, shorten

WIDTH, ROW, HEAD = 900, 18, 110
COLORS = {"steady": BLUE, "drifted": ORANGE, "too few answers": GREY}
COLUMNS = {
    "label_index": "stability index, labels",
    "score_index": "stability index, scores",
    "score_shift": "mean score, shift",
    "unsure_shift": "unsure answers, shift",
}


@in_style
def draw_drift(findings: Sequence[DriftFinding], bounds: DriftBounds) -> Figure:
    """Draw one bar a device in each of four columns, with the bounds as lines."""
    figure = new_figure(WIDTH, HEAD + ROW * len(findings))
    places = range(len(findings))
    for axes, (name, title) in zip(
        figure.subplots(1, len(COLUMNS), sharey=True), COLUMNS.items(), strict=True
    ):
        values = [getattr(finding, name) for finding in findings]
        axes.barh(places, values, color=[COLORS[finding.verdict] for finding in findings], height=0.7)
        limit = bounds.index if name.endswith("index") else bounds.shift
        for bound in (limit,) if name.endswith("index") else (-limit, limit):
            axes.axvline(bound, color=SOFT, linewidth=1, linestyle="--")
        axes.set_title(title, fontsize=10)
        axes.set_yticks(places, [shorten(finding.whose) for finding in findings], fontsize=10)
        axes.set_ylim(len(findings) - 0.4, -0.6)
    return figure
