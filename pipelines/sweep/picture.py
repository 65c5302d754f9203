"""A figure of a search: the trials of one study, and the accuracy of every study's choice."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.sweep.results import Study
from pipelines.trials.report import SweepReport
from pipelines.trials.search import Attempt
from reelflow.charts.canvas import BLUE, GREY, in_style, new_figure, shorten

TUNED, HONEST = GREY, BLUE


@in_style
def draw(report: SweepReport, last: Study) -> Figure:
    """Draw the search.

    Args:
        report: of all studies.
        last: the study that chose the values to use.
    """
    figure = new_figure(800, 310)
    trials, folds = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_trials(trials, last)
    _draw_folds(folds, report)
    return figure


def _draw_trials(axes: Axes, study: Study) -> None:
    """Accuracy by trial, one colour per head; pruned trials are hollow; a line shows the best so far."""
    scored = [attempt for attempt in study.attempts if attempt.scores]
    for head in sorted({attempt.candidate.head for attempt in scored}):
        (line,) = axes.plot([], [], "o", label=shorten(head))
        for state, face in (("COMPLETE", line.get_color()), ("PRUNED", "none")):
            kept = [one for one in scored if one.candidate.head == head and one.state == state]
            numbers, accuracies = [one.number for one in kept], [one.accuracy for one in kept]
            axes.plot(numbers, accuracies, "o", color=line.get_color(), markerfacecolor=face)
    whole = [attempt for attempt in scored if attempt.state == "COMPLETE"]
    axes.step([one.number for one in whole], _running_best(whole), where="post", color="0.6", zorder=0)
    axes.set(title=f"Trials on {shorten(study.nest.name)}", xlabel="trial (hollow: pruned, over fewer folds)")
    axes.set_ylabel("accuracy over inner folds (optimistic)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()


def _running_best(attempts: Sequence[Attempt]) -> list[float]:
    return [max(one.accuracy for one in attempts[: place + 1]) for place in range(len(attempts))]


def _draw_folds(axes: Axes, report: SweepReport) -> None:
    """Tuned beside held-out accuracy of every outer fold; the honest one and its interval across."""
    outer = [study for study in report.studies if study.accuracy is not None]
    places, held_out = range(len(outer)), [study.accuracy or 0.0 for study in outer]
    axes.axhspan(report.interval.low, report.interval.high, color=HONEST, alpha=0.12, linewidth=0)
    axes.axhline(report.accuracy, color=HONEST, label="honest, all folds, 95 %")
    tuned = [study.tuned_accuracy for study in outer]
    axes.plot(places, tuned, "o", color=TUNED, label="tuned (optimistic)", fillstyle="none", markersize=11)
    axes.plot(places, held_out, "D", color=HONEST, label="held out")
    axes.set_xticks(list(places), [shorten(study.name) for study in outer], rotation=30, ha="right")
    axes.set(title=f"Outer folds of {report.protocol}", ylabel="accuracy", ylim=(0, 1.02))
    axes.margins(x=0.2)
    axes.legend(loc="lower left")
