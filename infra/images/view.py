"""Shows how far the images are: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol, Self

from rich.console import Console
from rich.progress import Progress, TaskID, TextColumn, TimeElapsedColumn


class ImagesView(AbstractContextManager["ImagesView"], Protocol):
    """Is told what happens to each image."""

    def stage(self, name: str, stage: str) -> None:
        """An image begins a stage, as `build` or `scan`."""

    def done(self, name: str, reference: str, size_bytes: int) -> None:
        """An image is finished."""


def open_view(names: Sequence[str], console: Console) -> ImagesView:
    """The table on a terminal, lines elsewhere."""
    return ImagesTable(names, console) if console.is_terminal else ImagesLines(names, console)


class ImagesLines:
    """A line for each stage and each finished image: which of how many, seconds, size."""

    def __init__(self, names: Sequence[str], console: Console) -> None:
        self._numbers = _numbers(names)
        self._started: dict[str, float] = {}
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Lines need no end."""

    def stage(self, name: str, stage: str) -> None:
        """Print that an image begins a stage."""
        self._started.setdefault(name, time.monotonic())
        self._say(f"{self._numbers[name]} {name}: {stage}")

    def done(self, name: str, reference: str, size_bytes: int) -> None:
        """Print what an image has become."""
        seconds = time.monotonic() - self._started[name]
        self._say(f"{self._numbers[name]} {name}: {_megabytes(size_bytes)} in {seconds:.0f} s, {reference}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class ImagesTable:
    """A row for each image: number, name, time, and its stage or size."""

    def __init__(self, names: Sequence[str], console: Console) -> None:
        columns = TextColumn("{task.fields[number]} {task.description:16}"), TimeElapsedColumn()
        self._progress = Progress(*columns, TextColumn("{task.fields[note]}"), console=console)
        self._rows: dict[str, TaskID] = {
            name: self._progress.add_task(name, start=False, number=number, note="")
            for name, number in _numbers(names).items()
        }

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, name: str, stage: str) -> None:
        """Show the stage of an image."""
        if self._progress.tasks[self._rows[name]].start_time is None:
            self._progress.start_task(self._rows[name])
        self._progress.update(self._rows[name], note=f"[cyan]{stage}[/]")

    def done(self, name: str, reference: str, size_bytes: int) -> None:
        """Show what an image has become."""
        note = f"[green]{_megabytes(size_bytes):>8}[/] {reference}"
        self._progress.update(self._rows[name], note=note, completed=100)
        self._progress.stop_task(self._rows[name])


def _numbers(names: Sequence[str]) -> dict[str, str]:
    """`[ 3/10]` by name."""
    total = str(len(names))
    return {name: f"[{number:>{len(total)}}/{total}]" for number, name in enumerate(names, start=1)}


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.0f} MB"
