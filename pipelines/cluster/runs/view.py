"""What the commands for runs print."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from pipelines.cluster.runs.model import ClusterRun, ClusterTask
from pipelines.cluster.tables import print_table, table
from reelflow.commandline import printable


class Progress:
    """Says what has changed since the last poll of a run."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._said: set[tuple[str, str]] = set()

    def __call__(self, run: ClusterRun) -> None:
        """Say each state of a task once; a task that waits says nothing."""
        for task in run.tasks:
            state = "CACHED" if task.cached else task.state
            if task.state != "PENDING" and (task.key, state) not in self._said:
                self._said.add((task.key, state))
                self._say(f"{state.lower():<10}{printable(task.name)}")


def runs_table(runs: Iterable[ClusterRun]) -> Table:
    """What `runs` found."""
    rows = ((run.name, run.state, _time(run.created), _duration(run.duration_s), run.id) for run in runs)
    return table(("run", "state", "created", "duration", "id"), rows)


def print_run(run: ClusterRun, console: Console, note: str = "") -> None:
    """A run and its tasks, and what else there is to say of it."""
    headings = ("task", "state", "cached", "attempts", "duration", "read", "written", "error")
    print_table(console, table(headings, map(_row, run.tasks), folded="error"))
    told = note or run.error
    moved = _moved(run)
    line = (
        f"{run.name} ({run.id}): {run.state}, {_duration(run.duration_s)}{moved}{': ' if told else ''}{told}"
    )
    console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def run_document(run: ClusterRun, link: str, note: str = "") -> str:
    """The same as one JSON document; times are in seconds."""
    document = asdict(run) | {"link": link, "note": note}
    return json.dumps(document, default=_plain, indent=2) + "\n"


def _row(task: ClusterTask) -> tuple[str, ...]:
    cached, attempts = "cached" if task.cached else "", str(task.attempts or "")
    moved = _size(task.read_bytes), _size(task.written_bytes)
    return task.name, task.state, cached, attempts, _duration(task.duration_s), *moved, task.error


def _moved(run: ClusterRun) -> str:
    """The sum over all tasks, where any is recorded."""
    read = [task.read_bytes for task in run.tasks if task.read_bytes is not None]
    written = [task.written_bytes for task in run.tasks if task.written_bytes is not None]
    if not read:
        return ""
    return f", {decimal(sum(read))} read from the store, {decimal(sum(written))} written to it"


def _size(size_bytes: int | None) -> str:
    return "" if size_bytes is None else decimal(size_bytes)


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else ""


def _duration(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))
