"""The table at the end of a run."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from reelflow.contracts import Summary, SummaryRow
from reelflow.nets.candidates import name_of


def print_summary(summary: Summary, out: Path, console: Console) -> None:
    """Print the results, the outcome of the release, and what to open."""
    console.print()
    console.print(_table(summary))
    console.print(_baselines(summary), highlight=False)
    console.print(summary.explanation, highlight=False, markup=False)
    for warning in summary.warnings:
        console.print(warning, style="yellow", highlight=False, markup=False)
    console.print(_times(summary), highlight=False)
    console.print(f"report  {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"bundle  {out / 'bundle'}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"figures {out / 'summary.json'}", highlight=False, markup=False, soft_wrap=True)


def _table(summary: Summary) -> Table:
    caption = (
        f"on {summary.rows[0].test_clips} test clips, protocol {summary.protocol}, "
        f"{len(summary.labels)} classes; [95 % interval by group]; chosen on the validation clips: ★"
    )
    table = Table(caption=escape(caption), caption_justify="left")
    for name in ("", "backbone", "head"):
        table.add_column(name)
    for name in ("accuracy", "top-5", "macro F1"):
        table.add_column(name, justify="right")
    for row in summary.rows:
        mark = "★" if name_of(row.backbone, row.head) == summary.chosen else ""
        figures = (f"{row.top5_accuracy:.3f}", f"{row.macro_f1:.3f}")
        table.add_row(mark, row.backbone, row.head, escape(_accuracy(row)), *figures)
    return table


def _accuracy(row: SummaryRow) -> str:
    """Such as `0.767 [0.60, 0.90]`."""
    return f"{row.accuracy:.3f} [{row.accuracy_interval.low:.2f}, {row.accuracy_interval.high:.2f}]"


def _baselines(summary: Summary) -> str:
    """Such as `shortcut baselines: metadata 0.56, thumbnails 0.41`."""
    baselines = ", ".join(f"{name} {accuracy:.2f}" for name, accuracy in summary.baselines.items())
    return f"shortcut baselines: {baselines or 'not measured'}"


def _times(summary: Summary) -> str:
    own_s = sum(summary.seconds.values())
    slowest = max(summary.seconds, key=lambda task: summary.seconds[task])
    return (
        f"{own_s:.0f} s of work in the steps, {summary.wall_seconds:.0f} s since the start; "
        f"the longest was {slowest} with {summary.seconds[slowest]:.0f} s"
    )
