"""Shows runs side by side: tables of a terminal, and one self-contained page."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import jinja2
from rich.table import Table
from rich.text import Text

from pipelines.compare.conclusions import conclusions
from pipelines.compare.side_by_side import RunColumn, SideBySide
from reelflow.commandline import printable
from reelflow.contracts import BaselineComparison, Interval
from reelflow.files import write_text

HERE = Path(__file__).parent
WIDTH = 150  # of a bar in the page, in pixels
LEAST_P = 0.001
HEADINGS = (
    *("run", "began (UTC)", "classifier", "accuracy", "baselines", "macro F1", "bundle, MB"),
    *("ms a frame", "test clips"),
)
PAIR_HEADINGS = ("first, second", "common clips", "accuracy, first - second", "McNemar", "verdict")


def run_table(found: SideBySide) -> Table:
    """One row a run."""
    table = Table(*HEADINGS)
    for column in found.columns:
        table.add_row(*map(_plain, cells(column)))
    return table


def cells(column: RunColumn) -> tuple[str, ...]:
    """A run's figures as text, below `HEADINGS`; empty where MLflow has none."""
    run = column.run
    return (
        run.name,
        run.began_at[:16].replace("T", " "),
        run.chosen,
        _figure(column.accuracy, run.metrics.get("accuracy")),
        ", ".join(map(_against, column.baselines)),
        _figure(column.macro_f1, run.metrics.get("macro_f1")),
        *(f"{run.metrics[name]:.3g}" if name in run.metrics else "" for name in ("size_mb", "frame_ms")),
        f"{column.test_clips or run.metrics.get('test_clips', 0):.0f}".removeprefix("0"),
    )


def _figure(measured: tuple[float, Interval] | None, metric: float | None) -> str:
    if measured:
        value, interval = measured
        return f"{value:.3f} [{interval.low:.2f}, {interval.high:.2f}]"
    return "" if metric is None else f"{metric:.3f}, no interval"


def _against(baseline: BaselineComparison) -> str:
    beaten = "" if baseline.clearly_above else " (not clearly lower)"
    return f"{baseline.name} {baseline.accuracy:.2f}{beaten}"


def pair_table(found: SideBySide) -> Table:
    """One row for any two runs."""
    table = Table(*PAIR_HEADINGS)
    for row in pair_rows(found):
        table.add_row(*map(_plain, row))
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
            p_value = f"p = {pair.paired.p_value:.2g}" if pair.paired.p_value >= LEAST_P else f"p < {LEAST_P}"
        rows.append((f"{pair.a}, {pair.b}", str(pair.clips), difference, p_value, pair.verdict))
    return rows


def difference_table(found: SideBySide) -> Table:
    """What is not the same in all runs."""
    table = Table("what differs")
    for column in found.columns:
        table.add_column(_plain(column.run.name))
    for name, values in found.differences.items():
        table.add_row(*map(_plain, (name, *values)))
    return table


def _plain(text: str) -> Text:
    """A cell whose brackets are no markup of rich: names and values are those of users."""
    return Text(printable(text))


def write_page(found: SideBySide, path: Path, links: Sequence[str]) -> None:
    """Write one HTML file that needs nothing else.

    Args:
        found: runs side by side.
        path: of the file.
        links: to each run in MLflow; empty where it has no page.

    Raises:
        StorageError: the disk is full or read-only.
    """
    text = _page().render(
        found=found,
        told=conclusions(found),
        headings=HEADINGS,
        rows=[(column, cells(column), link) for column, link in zip(found.columns, links, strict=True)],
        pair_headings=PAIR_HEADINGS,
        pairs=pair_rows(found),
        width=WIDTH,
    )
    write_text(path, text)


@cache
def _page() -> jinja2.Template:
    """The template of the page, which is compiled once."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("page.html.j2")
