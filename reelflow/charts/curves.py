"""Learning curves."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reelflow.charts.canvas import BLUE, GREY, SOFT, in_style, new_figure

MEASURES = ("loss", "accuracy")
COLORS = {"train": GREY, "validation": BLUE}
WIDTH, HEIGHT = 440, 250


@in_style
def draw_curves(
    curves: Mapping[str, Sequence[float]],
    kept_epoch: int,
    *,
    measures: Sequence[str] = MEASURES,
    title: str = "",
) -> Figure:
    """Draw metrics by epoch, of training and validation clips.

    Args:
        curves: by name, as `train_loss`; the first value is of epoch 1.
        kept_epoch: the epoch whose weights were kept.
        measures: to draw side by side.
        title: of the figure.
    """
    figure = new_figure(WIDTH * len(measures), HEIGHT)
    figure.suptitle(title)
    for axes, measure in zip(figure.subplots(1, len(measures), squeeze=False)[0], measures, strict=True):
        _draw_measure(axes, measure, curves, kept_epoch)
    return figure


def _draw_measure(axes: Axes, measure: str, curves: Mapping[str, Sequence[float]], kept_epoch: int) -> None:
    """Both curves of a measure; the legend has their values at the kept epoch."""
    kept = kept_epoch - 1
    for split, color in COLORS.items():
        values = curves[f"{split}_{measure}"]
        epochs, label = range(1, len(values) + 1), f"{split} {values[kept]:.3f}"
        axes.plot(epochs, values, "o-", color=color, label=label, linewidth=2, markevery=[kept])
        axes.set_xlim(0.5, len(values) + 0.5)
    axes.axvline(kept_epoch, color=SOFT, linestyle=":", linewidth=1.2)
    axes.set(xlabel="epoch", ylabel=measure, ylim=(0, 1.02 if measure == "accuracy" else None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(axis="y")
    axes.legend(title=f"at epoch {kept_epoch}, kept", title_fontsize="small")
