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
        self._running = ""
        self._started = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: Event) -> None:
        """Update the row of the running task."""
        kind = event["kind"]
        if kind == "started":
            self._running, self._started = event["task"], event["time"]
            self._update(mark="[cyan]▶[/]", note="starting")
        elif kind == "progress":
            if not event["done"]:
                self._started = event["time"]
            note = describe(event["done"], event["total"], event["unit"], event["time"] - self._started)
            self._update(completed=event["done"], total=max(event["total"], 1), note=note)
        elif kind == "notice":
            self._progress.console.print(event["message"], style="yellow", markup=False, highlight=False)
        elif kind == "finished":
            note = "already done" if event["reused"] else f"{event['seconds']:.1f} s"
            self._update(completed=1, total=1, mark="[green]✓[/]", note=note)
        elif kind == "failed":
            self._update(mark="[red]✗[/]", note="[red]failed[/]")

    def _update(self, **fields: object) -> None:
        if self._running in self._tasks:
            self._progress.update(self._tasks[self._running], **fields)  # type: ignore[arg-type]


class PlainView:
    """One line when a task starts and ends, and one every few seconds between."""

    def __init__(self, names: list[str], console: Console) -> None:
        self._names, self._console = names, console
        self._running, self._started, self._last = "", 0.0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, event: Event) -> None:
        """Print a line for an important event."""
        kind = event["kind"]
        if kind == "started":
            self._running, self._started, self._last = event["task"], event["time"], time.time()
            self._print("started")
        elif kind == "progress" and not event["done"]:
            self._started = self._last = event["time"]
        elif kind == "progress" and event["time"] - self._last > PLAIN_EVERY_S:
            self._last = event["time"]
            self._print(describe(event["done"], event["total"], event["unit"], self._last - self._started))
        elif kind == "notice":
            self._print(event["message"])
        elif kind == "finished":
            self._print("already done" if event["reused"] else f"done in {event['seconds']:.1f} s")
        elif kind == "failed":
            self._print("failed")

    def _print(self, text: str) -> None:
        place = self._names.index(self._running) + 1 if self._running in self._names else 0
        line = f"[{place}/{len(self._names)}] {self._running}: {text}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
