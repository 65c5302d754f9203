"""Tables that no width cuts."""

from collections.abc import Iterable

from rich.cells import cell_len
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipelines.console import UNBOUNDED
from reelflow.commandline import printable

MIN_FOLDED_LETTERS = 24


def table(headings: Iterable[str], rows: Iterable[tuple[str, ...]], folded: str = "") -> Table:
    """A table of plain text without markup.

    Args:
        headings: of the columns.
        rows: cells by column.
        folded: the column that a narrow terminal folds; the others stay as they are.
    """
    cells = [tuple(map(printable, row)) for row in rows]
    found = Table(box=None, pad_edge=False)
    for number, heading in enumerate(headings):
        width = max(cell_len(text) for text in (heading, *(row[number] for row in cells)))
        least = min(width, MIN_FOLDED_LETTERS) if heading == folded else width
        found.add_column(heading, overflow="fold", no_wrap=heading != folded, min_width=least)
    for row in cells:
        found.add_row(*map(Text, row))
    return found


def print_table(console: Console, found: Table) -> None:
    """Print a table; a terminal that is too narrow for it wraps its lines."""
    unbounded = console.options.update(max_width=UNBOUNDED)
    needed = Measurement.get(console, unbounded, found).minimum
    Console(file=console.file, width=max(console.width, needed)).print(found)
