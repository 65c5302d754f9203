"""The accuracies of a study on a terminal."""

from rich.console import Console
from rich.table import Table as Grid

from pipelines.studies.comparison.gap import NAMES, Published, gap_table
from pipelines.studies.comparison.tables import Row
from pipelines.studies.ucf101.cuts import Cuts
from reelflow.commandline import printable

LEFT = ("backbone", "head")


def show_cuts(cuts: Cuts, published: Published, console: Console) -> None:
    """Print what was published, and ours on the official lists and on the random cut."""
    grid = Grid(caption="top-1 accuracy, with a 95 % interval by group", caption_justify="left")
    for column in (*LEFT, "published", *NAMES.values(), "gap"):
        grid.add_column(column, justify="left" if column in LEFT else "right", overflow="fold")
    for backbone, head, published_here, *figures in gap_table(cuts, published).rows:
        cells = [_cell(tuple(figures[start : start + 3])) for start in (0, 3, 6)]
        grid.add_row(printable(backbone), head, published_here or "-", *cells)
    console.print()
    console.print(grid)


def _cell(figures: Row) -> str:
    """A figure above its interval."""
    value, low, high = figures
    return f"{value}\n{low} to {high}" if value else "not run"
