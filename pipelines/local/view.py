"""Shows a running pipeline: a live list of its tasks on a terminal, plain lines elsewhere."""

import time
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from reelflow.progress import Event, describe

PLAIN_EVERY_S = 5.0


class View(Protocol):
    """Shows events; a context manager."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, event: Event) -> None:
        """Show one event of the running task."""


def open_view(names: list[str], console: Console) -> View:
    """The live view on a terminal, plain lines elsewhere."""
    return LiveView(names, console) if console.is_terminal else PlainView(names, console)


class LiveView:
    """Every task with its state, a bar, rate and time left."""

    def __init__(self, names: list[str], console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[mark]} {task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            console=console,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[str, TaskID] = {
            name: self._progress.add_task(name, total=1, mark="[dim]·[/]", note="") for name in names
        }
        self._started: dict[str, float] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Update the row of the event's task."""
        kind, task = event["kind"], event.get("task", "")
        if kind == "started":
            self._started[task] = event["time"]
            self._update(task, mark="[cyan]▶[/]", note="starting")
        elif kind == "progress":
            if not event["done"]:
                self._started[task] = event["time"]
            elapsed_s = event["time"] - self._started[task]
            note = describe(event["done"], event["total"], event["unit"], elapsed_s)
            self._update(task, completed=event["done"], total=max(event["total"], 1), note=note)
        elif kind == "notice":
            self._progress.console.print(event["message"], style="yellow", markup=False, highlight=False)
        elif kind == "finished":
            note = "already done" if event["reused"] else f"{event['seconds']:.1f} s"
            self._update(task, completed=1, total=1, mark="[green]✓[/]", note=note)
        elif kind == "failed":
            self._update(task, mark="[red]✗[/]", note="[red]failed[/]")

    def _update(self, task: str, **fields: object) -> None:
        if task in self._tasks:
            self._progress.update(self._tasks[task], **fields)  # type: ignore[arg-type]


class PlainView:
    """One line when a task starts and ends, and one every few seconds between."""

    def __init__(self, names: list[str], console: Console) -> None:
        self._names, self._console = names, console
        self._started: dict[str, float] = {}
        self._last: dict[str, float] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, event: Event) -> None:
        """Print a line for an important event."""
        kind, task, now = event["kind"], event.get("task", ""), event["time"]
        if kind == "started":
            self._started[task], self._last[task] = now, time.time()
            self._print(task, "started")
        elif kind == "progress" and not event["done"]:
            self._started[task] = self._last[task] = now
        elif kind == "progress" and now - self._last[task] > PLAIN_EVERY_S:
            self._last[task] = now
            elapsed_s = now - self._started[task]
            self._print(task, describe(event["done"], event["total"], event["unit"], elapsed_s))
        elif kind == "notice":
            self._print(task, event["message"])
        elif kind == "finished":
            self._print(task, "already done" if event["reused"] else f"done in {event['seconds']:.1f} s")
        elif kind == "failed":
            self._print(task, "failed")

    def _print(self, task: str, text: str) -> None:
        place = self._names.index(task) + 1 if task in self._names else 0
        line = f"[{place}/{len(self._names)}] {task}: {text}" if task else text
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
