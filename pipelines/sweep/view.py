"""Shows a search: progress of each study, and the table at the end."""

import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.local.view import View
from pipelines.sweep.page import advice, in_words
from pipelines.trials.report import BEST, FILE, PAGE, StudyResult, SweepReport
from reelflow.commandline import printable


class Meter:
    """Progress of one study after another, in trainings; pruned ones count as done."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._task, self._started = "", 0.0

    def start(self, task: str, done: int, total: int) -> None:
        """Start or resume a study."""
        self._task, self._started = task, time.time()
        self._show("started")
        self._show("progress", done=0, total=total, unit="trainings")
        if done:
            self.note(f"resuming after {done} of {total} trainings")

    def tell(self, done: int, total: int) -> None:
        """Report the number of finished trainings."""
        self._show("progress", done=done, total=total, unit="trainings")

    def note(self, text: str) -> None:
        """Print a notice about a trial."""
        self._show("notice", message=printable(" ".join(text.split())))

    def finish(self) -> None:
        """Finish the study."""
        self._show("finished", reused=False, seconds=time.time() - self._started)

    def _show(self, kind: str, **values: object) -> None:
        self._view.show({"kind": kind, "time": time.time(), "task": self._task, **values})


def print_report(report: SweepReport, out: Path, console: Console) -> None:
    """Print the choice of each study, the honest and the tuned accuracy, and what to open."""
    grid = Table(caption="tuned: on the clips that chose the values, optimistic", caption_justify="left")
    for name in ("study", "chosen"):
        grid.add_column(name)
    for name in ("trials", "pruned", "failed", "tuned", "held out"):
        grid.add_column(name, justify="right")
    for study in report.studies:
        grid.add_row(*map(escape, _row(study)))
    console.print()
    console.print(grid)
    for line in (*in_words(report), advice(report)):
        console.print(line, highlight=False, markup=False)
    for name, file in (("report", PAGE), ("params", BEST), ("figures", FILE)):
        console.print(f"{name:8}{out / file}", highlight=False, markup=False, soft_wrap=True)


def _row(study: StudyResult) -> tuple[str, ...]:
    trials = study.complete + study.pruned + study.failed
    held_out = "-" if study.accuracy is None else f"{study.accuracy:.3f}"
    return (
        printable(study.name),
        printable(study.chosen.in_words()),
        *map(str, (trials, study.pruned, study.failed)),
        f"{study.tuned_accuracy:.3f}",
        held_out,
    )
