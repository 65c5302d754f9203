"""Tables that no width cuts."""

from collections.abc import Iterable

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipelines.console import UNBOUNDED
from reelflow.commandline import printable


def table(headings: Iterable[str], rows: Iterable[tuple[str, ...]], folded: str = "") -> Table:
    """A table of plain text without markup.

    Args:
        headings: of the columns.
        rows: cells by column.
        folded: the column that a narrow terminal may fold; the others stay as they are.
    """
    found = Table(box=None, pad_edge=False)
    for heading in headings:
        found.add_column(heading, overflow="fold", no_wrap=heading != folded)
    for row in rows:
        found.add_row(*(Text(printable(cell)) for cell in row))
    return found


def print_table(console: Console, found: Table) -> None:
    """Print a table; a terminal that is too narrow for it wraps its lines."""
    options = console.options.update(max_width=UNBOUNDED)
    needed = Measurement.get(console, options, found).minimum
    console.print(found, width=max(console.width, needed), crop=False)
