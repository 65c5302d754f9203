"""What the commands for a cluster print."""

from collections.abc import Callable, Iterable
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.cluster.recurring.diff import RecurringRun, ScheduleChange
from pipelines.cluster.runs import ClusterRun, ClusterTask
from reelflow.commandline import printable


class Progress:
    """Says what has changed since the last poll of a run."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[tuple[str, str]] = set()

    def __call__(self, run: ClusterRun) -> None:
        """Say each state of a task once."""
        for task in run.tasks:
            if (task.id, task.state) not in self._said:
                self._said.add((task.id, task.state))
                self._say(f"{task.state.lower():<10}{printable(task.name)}")


def changes_table(changes: Iterable[ScheduleChange]) -> Table:
    """What `schedule apply` did."""
    return _table(("schedule", "action", "why"), ((one.name, one.verb, one.why) for one in changes))


def schedules_table(schedules: Iterable[RecurringRun], pipeline: str) -> Table:
    """What `schedule list` found."""
    rows = ((s.name, s.cron, _state(s.enabled), _kept_by(s, pipeline), s.id) for s in schedules)
    return _table(("schedule", "cron", "state", "kept by", "id"), rows)


def runs_table(runs: Iterable[ClusterRun]) -> Table:
    """What `runs` found."""
    rows = ((run.name, run.state, _time(run), _duration(run), run.id) for run in runs)
    return _table(("run", "state", "created", "duration", "id"), rows)


def print_run(run: ClusterRun, console: Console) -> None:
    """A run and its tasks."""
    rows = ((task.name, task.state, _duration(task), task.error) for task in run.tasks)
    console.print(_table(("task", "state", "duration", "error"), rows))
    error = f": {run.error}" if run.error else ""
    line = printable(f"{run.name} ({run.id}): {run.state}, {_duration(run)}{error}")
    console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(headings: Iterable[str], rows: Iterable[tuple[str, ...]]) -> Table:
    """A table of plain text without markup; ids are never cut."""
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold", no_wrap=heading == "id")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    return table


def _state(enabled: bool | None) -> str:
    return {True: "enabled", False: "disabled", None: "not known"}[enabled]


def _kept_by(schedule: RecurringRun, pipeline: str) -> str:
    if not schedule.pipeline:
        return "others"
    return "this cluster file" if schedule.pipeline == pipeline else f"reelflow, {schedule.pipeline}"


def _time(task: ClusterTask) -> str:
    return f"{task.created:%Y-%m-%d %H:%M}" if task.created else ""


def _duration(task: ClusterTask) -> str:
    return "" if task.duration_s is None else str(timedelta(seconds=round(task.duration_s)))
