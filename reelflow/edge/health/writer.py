"""Writes how a watcher does, and what it answers in a day: a sink that listens, and tells files."""

import math
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reelflow.edge.events.model import Message, WindowAnswer
from reelflow.edge.health.counts import DAY_LENGTH, SERIES, DayCounts, counts_path
from reelflow.edge.health.document import HEALTH, WatcherHealth, uptime_s
from reelflow.errors import BundleError, StorageError
from reelflow.files import atomic

EVERY_S = 5.0
WELL_S = 60.0
"""With answers for so long, a watcher has not failed to start."""
LONGEST_GAP_S = 60.0
READABLE = 0o644  # the agent is another user, and services have a umask that hides files


class HealthFile:
    """The file `health.json` of one watcher: a `reelflow.edge.sinks.interface.Sink`."""

    _bundle: str
    _starts: int
    _why: str
    _answering_s: float
    _answered_s: float | None
    _written_s: float

    def __init__(self, folder: Path, bundle: str) -> None:
        """Count one more start with a bundle, before it is loaded.

        Args:
            folder: of the file.
            bundle: name of the bundle's folder.
        """
        self.name, self.problem = f"health {folder}", ""
        self.failures = self.lost = 0
        self._path = folder / HEALTH
        self._loaded: Callable[[], tuple[str, str]] = lambda: (bundle, "")
        starts = 1
        with suppress(BundleError):
            before = WatcherHealth.read(self._path)
            starts += before.starts if before.bundle == bundle else 0
        self._counts: DayCounts | None = None
        self._dropped = 0
        if not (folder / SERIES).exists():
            self._put(folder / SERIES, secrets.token_hex(8))
        self._begin(bundle, starts)
        self._write()

    def follow(self, loaded: Callable[[], tuple[str, str]]) -> None:
        """Listen to what is loaded: the name of the bundle's folder, and why a newer one is not taken."""
        self._loaded = loaded

    def send(self, message: Message) -> None:
        """Take a message; answers alone count, each to the bundle that is loaded when it comes."""
        self._take_bundle()
        if isinstance(message, WindowAnswer):
            now_s = time.monotonic()
            gap_s = 0.0 if self._answered_s is None else now_s - self._answered_s
            self._answering_s += min(gap_s, LONGEST_GAP_S)
            self._answered_s = now_s
            self._count(message)
        self.beat()

    def _count(self, answer: WindowAnswer) -> None:
        day = answer.told_at[:DAY_LENGTH]
        if self._counts is None or (self._counts.day, self._counts.bundle) != (day, self._bundle):
            self._write_counts()
            self._counts = self._counted(day)
        newly_dropped = max(0, answer.dropped - self._dropped)
        self._dropped = answer.dropped
        self._counts = self._counts.with_answer(answer, newly_dropped)

    def _counted(self, day: str) -> DayCounts:
        """What an earlier start has counted this day."""
        with suppress(BundleError):
            return DayCounts.read(counts_path(self._path.parent, day, self._bundle))
        return DayCounts(day=day, bundle=self._bundle)

    def beat(self) -> None:
        """Say that the watcher works; to be called at least every few seconds."""
        self._take_bundle()
        _, why = self._loaded()
        if time.monotonic() - self._written_s >= EVERY_S or why != self._why:
            self._why = why
            self._write()

    def close(self, timeout_s: float) -> None:  # noqa: ARG002
        """Write the counts."""
        self._write_counts()

    def stopped(self) -> None:
        """The watcher was asked to end: it has not failed to start."""
        self._starts = 0
        self._write()

    def _take_bundle(self) -> None:
        bundle, _ = self._loaded()
        if bundle != self._bundle:
            self._begin(bundle, 1)

    def _begin(self, bundle: str, starts: int) -> None:
        self._write_counts()
        self._bundle, self._starts, self._why = bundle, starts, ""
        self._answering_s, self._answered_s, self._written_s = 0.0, None, -math.inf

    def _write(self) -> None:
        self._written_s = time.monotonic()
        if self._answering_s >= WELL_S:
            self._starts = 0
        told = WatcherHealth(
            bundle=self._bundle,
            starts=self._starts,
            answering_s=round(self._answering_s, 1),
            problem=self._why,
            told_s=uptime_s(),
        )
        self._put(self._path, told.to_json())
        self._write_counts()

    def _write_counts(self) -> None:
        if self._counts:
            path = counts_path(self._path.parent, self._counts.day, self._counts.bundle)
            self._put(path, self._counts.to_json())

    def _put(self, path: Path, told: str) -> None:
        try:
            with atomic(path) as partial:
                partial.write_text(told, encoding="utf-8")
                partial.chmod(READABLE)
        except StorageError as error:
            self.failures += 1
            self.problem = str(error)
