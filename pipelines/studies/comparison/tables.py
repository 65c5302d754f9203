"""Tables of a study: each is written to a CSV file and to the page."""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from reelflow.contracts import Interval
from reelflow.durable.replace import replace_folder
from reelflow.errors import disk_errors
from reelflow.files import write_csv, write_text

DIGITS = 4
NO_CELL = "-"
Row = tuple[str, ...]
Number = Decimal | float | None


@dataclass(frozen=True)
class Table:
    """Rows of text; an empty cell is something that was not published or not measured."""

    name: str
    header: Row
    rows: tuple[Row, ...]


def text(value: Number, digits: int = DIGITS) -> str:
    """A number as a cell."""
    return "" if value is None else f"{value:.{digits}f}"


def interval(found: Interval) -> Row:
    """Its ends, as cells."""
    return text(found.low), text(found.high)


def with_ends(*names: str) -> Row:
    """Headers of figures and the ends of their intervals."""
    return tuple(f"{name}{end}" for name in names for end in ("", "_low", "_high"))


def bullets(lines: Iterable[str]) -> str:
    """A list in Markdown."""
    return "\n".join(f"- {line}" for line in lines)


def in_markdown(table: Table) -> str:
    """A table in Markdown; empty without rows."""
    rows = [[name.replace("_", " ") for name in table.header], ["---"] * len(table.header), *table.rows]
    lines = ["| " + " | ".join(cell.replace("|", r"\|") or NO_CELL for cell in row) + " |" for row in rows]
    return "\n".join(lines) if table.rows else ""


def join(sections: Sequence[str]) -> str:
    """A page of its sections; empty ones are left out."""
    return "\n\n".join(section for section in sections if section) + "\n"


def named(tables: Iterable[Table]) -> Mapping[str, Table]:
    """Tables by name."""
    return {table.name: table for table in tables}


def write_folder(
    target: Path, tables: Iterable[Table], page: tuple[str, str], add: Callable[[Path], None]
) -> None:
    """Write a study's tables and its page as one folder, which replaces the last one.

    Args:
        target: the folder.
        tables: a CSV file each.
        page: name and text.
        add: writes what else belongs to the folder into the one that it is given.

    Raises:
        StorageError: the disk is full or read-only.
    """
    partial = target.with_name(f".{target.name}.partial")
    with disk_errors(target):
        shutil.rmtree(partial, ignore_errors=True)
        for table in tables:
            write_csv(partial / f"{table.name}.csv", table.header, table.rows)
        add(partial)
        write_text(partial / page[0], page[1])
        replace_folder(partial, target)
