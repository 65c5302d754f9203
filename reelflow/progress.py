"""Progress of long work: steps emit events; a watcher decides how to show them."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

Event = dict[str, Any]
Sink = Callable[[Event], None]
T = TypeVar("T")

_sinks: list[Sink] = []
_common: list[Event] = []


def emit(kind: str, **values: Any) -> None:
    """Send an event to every sink of this process."""
    event = {"kind": kind, "time": time.time()}
    for more in (*_common, values):
        event |= more
    for sink in _sinks:
        sink(event)


def report(done: int, total: int, unit: str) -> None:
    """Say that `done` of `total` units of the running step are finished."""
    emit("progress", done=done, total=total, unit=unit)


def track(items: Iterable[T], total: int, unit: str) -> Iterator[T]:
    """Yield the items and report progress after each."""
    report(0, total, unit)
    for done, item in enumerate(items, start=1):
        yield item
        report(done, total, unit)


@contextmanager
def watched_by(sink: Sink) -> Iterator[None]:
    """Send the events of the block to `sink` too."""
    _sinks.append(sink)
    try:
        yield
    finally:
        _sinks.remove(sink)


@contextmanager
def about(**values: Any) -> Iterator[None]:
    """Give every event of the block these values too."""
    _common.append(values)
    try:
        yield
    finally:
        _common.remove(values)


class EventFile:
    """Appends events as JSON lines; progress at most five times a second."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0.0

    def __call__(self, event: Event) -> None:
        """Append one event."""
        if event["kind"] == "progress" and event["done"] < event["total"]:
            if event["time"] - self._last < 0.2:
                return
            self._last = event["time"]
        line = (json.dumps(event) + "\n").encode()
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line)  # one write: lines of several processes never interleave
        finally:
            os.close(file)


class Line:
    """Shows one step's progress on a terminal: one line, redrawn; plain lines elsewhere."""

    def __init__(self) -> None:
        self._started = time.time()
        self._last = 0.0
        self._redraws = sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        """Show a notice, or how far the step is."""
        if event["kind"] == "notice":
            self._write(event["message"] + "\n")
        if event["kind"] != "progress":
            return
        if not event["done"]:
            self._started = event["time"]
        finished = event["done"] >= event["total"]
        if not finished and event["time"] - self._last < (0.2 if self._redraws else 5):
            return
        self._last = event["time"]
        text = describe(event["done"], event["total"], event["unit"], event["time"] - self._started)
        end = "\n" if finished or not self._redraws else ""
        start = "\r\033[K" if self._redraws else ""
        self._write(f"{start}{text}{end}")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


def events_in(content: bytes) -> Iterator[Event]:
    """The events of an `EventFile`'s content; lines are truncated when the disk is full."""
    for line in content.splitlines():
        with suppress(ValueError):
            yield json.loads(line)


def describe(done: int, total: int, unit: str, elapsed_s: float) -> str:
    """Progress in words, as `40/120 clips, 33.1/s, 2 s left`."""
    text = f"{done}/{total} {unit}"
    if not done or elapsed_s <= 0:
        return text
    rate = done / elapsed_s
    left_s = (total - done) / rate
    return f"{text}, {rate:.1f}/s" + (f", {left_s:.0f} s left" if done < total else "")
