"""Learning curves as a table and as a figure."""

from pathlib import Path

from components.training.history import CURVES, History
from reelflow.files import atomic, write_csv


def write_table(history: History, path: Path) -> None:
    """One row per epoch, for `dvc plots`."""
    rows = (
        (epoch, *(f"{row[name]:.6f}" for name in CURVES)) for epoch, row in enumerate(history.rows, start=1)
    )
    write_csv(path, ("epoch", *CURVES), rows)


def draw(history: History, title: str, path: Path) -> None:
    """Loss and accuracy side by side; the selected epoch is marked."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6), dpi=120, layout="constrained")
    figure.suptitle(title)
    epochs, curves = range(1, history.epochs + 1), history.curves()
    for axes, what in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split, color in (("train", "tab:blue"), ("validation", "tab:orange")):
            axes.plot(epochs, curves[f"{split}_{what}"], color=color, marker=".", markersize=3, label=split)
        axes.axvline(history.best_epoch, color="tab:grey", linestyle=":", label="kept epoch")
        axes.set(xlabel="epoch", ylabel=what, ylim=(0, 1.02 if what == "accuracy" else None))
        axes.grid(alpha=0.3)
        axes.legend()
    with atomic(path) as partial:
        figure.savefig(partial, format="png")
