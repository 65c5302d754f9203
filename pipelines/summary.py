"""The table at the end of a run."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from reelflow.contracts import Summary


def print_summary(summary: Summary, out: Path, console: Console) -> None:
    """Print what was measured, what became of it, and what to open."""
    console.print()
    console.print(_table(summary))
    console.print(summary.explanation, highlight=False, markup=False)
    console.print(_times(summary), highlight=False)
    console.print(f"report  {out / 'report.html'}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"bundle  {out / 'bundle'}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"figures {out / 'summary.json'}", highlight=False, markup=False, soft_wrap=True)


def _table(summary: Summary) -> Table:
    clips = summary.rows[0].test_clips
    caption = f"on {clips} test clips, {len(summary.labels)} classes; chosen on the validation clips: ★"
    table = Table(caption=caption, caption_justify="left")
    for name in ("", "backbone", "head"):
        table.add_column(name)
    for name in ("accuracy", "top-5", "macro F1"):
        table.add_column(name, justify="right")
    for row in summary.rows:
        mark = "★" if f"{row.backbone}-{row.head}" == summary.chosen else ""
        figures = (f"{value:.3f}" for value in (row.accuracy, row.top5_accuracy, row.macro_f1))
        table.add_row(mark, row.backbone, row.head, *figures)
    return table


def _times(summary: Summary) -> str:
    own_s = sum(summary.seconds.values())
    slowest = max(summary.seconds, key=lambda task: summary.seconds[task])
    return (
        f"{own_s:.0f} s of work in the steps, {summary.wall_seconds:.0f} s since the start; "
        f"the longest was {slowest} with {summary.seconds[slowest]:.0f} s"
    )
