"""Shows runs side by side: tables of a terminal, and one self-contained page."""

from collections.abc import Sequence
from pathlib import Path

import jinja2
from rich.table import Table

from pipelines.compare.side_by_side import RunColumn, SideBySide
from reelflow.commandline import printable
from reelflow.files import write_text

HERE = Path(__file__).parent
WIDTH = 260  # of a bar in the page, in pixels


def run_table(found: SideBySide) -> Table:
    """One row a run."""
    table = Table("run", "began", "classifier", "accuracy", "baselines", "macro F1", "MB", "test clips")
    for column in found.columns:
        table.add_row(*map(printable, cells(column)))
    return table


def cells(column: RunColumn) -> tuple[str, ...]:
    """A run's figures as text."""
    run = column.run
    accuracy = "not in MLflow"
    if column.accuracy:
        value, interval = column.accuracy
        accuracy = f"{value:.3f} [{interval.low:.2f}, {interval.high:.2f}]"
    baselines = ", ".join(f"{name} {value:.2f}" for name, value in column.baselines.items())
    size = run.metrics.get("size_mb")
    return (
        run.name,
        run.began_at[:16].replace("T", " "),
        run.chosen,
        accuracy,
        baselines,
        f"{run.metrics['macro_f1']:.3f}" if "macro_f1" in run.metrics else "",
        f"{size:.2f}" if size is not None else "",
        str(column.test_clips or ""),
    )


def pair_table(found: SideBySide) -> Table:
    """One row for any two runs."""
    table = Table("two runs", "common clips", "difference", "McNemar", "")
    for row in pair_rows(found):
        table.add_row(*map(printable, row))
    return table


def pair_rows(found: SideBySide) -> list[tuple[str, ...]]:
    """Any two runs as text."""
    rows: list[tuple[str, ...]] = []
    for pair in found.pairs:
        difference = p_value = ""
        if pair.paired:
            interval = pair.paired.interval
            points = (100 * value for value in (pair.paired.difference, interval.low, interval.high))
            difference = "{:+.1f} points [{:+.1f}, {:+.1f}]".format(*points)
            p_value = f"p = {pair.paired.p_value:.2g}"
        rows.append((f"{pair.a}, {pair.b}", str(pair.clips), difference, p_value, pair.verdict))
    return rows


def difference_table(found: SideBySide) -> Table:
    """What is not the same in all runs."""
    table = Table("what differs", *(printable(column.run.name) for column in found.columns))
    for name, values in found.differences.items():
        table.add_row(printable(name), *map(printable, values))
    return table


def write_page(found: SideBySide, path: Path, links: Sequence[str]) -> None:
    """Write one HTML file that needs nothing else.

    Args:
        found: runs side by side.
        path: of the file.
        links: to each run in MLflow; empty where it has no page.

    Raises:
        StorageError: the disk is full or read-only.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    template = environment.get_template("page.html.j2")
    text = template.render(found=found, cells=cells, pairs=pair_rows(found), links=links, width=WIDTH)
    write_text(path, text)
