"""Writes how a watcher does: a sink that listens, and tells a file."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from reelflow.edge.events.model import Message, WindowAnswer
from reelflow.edge.health.document import HEALTH, WatcherHealth, uptime_s
from reelflow.errors import BundleError, StorageError
from reelflow.files import write_text

EVERY_S = 5.0
WELL_S = 60.0
"""With answers for so long, a watcher has not failed to start."""
LONGEST_GAP_S = 60.0


class HealthFile:
    """The file `health.json` of one watcher: a `reelflow.edge.sinks.interface.Sink`."""

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
        self._bundle, self._starts, self._why = bundle, starts, ""
        self._answering_s, self._written_s = 0.0, 0.0
        self._answered_s: float | None = None
        self._write()

    def follow(self, loaded: Callable[[], tuple[str, str]]) -> None:
        """Listen to what is loaded: the name of the bundle's folder, and why a newer one is not taken."""
        self._loaded = loaded

    def send(self, message: Message) -> None:
        """Take a message; answers alone count."""
        if isinstance(message, WindowAnswer):
            now_s = time.monotonic()
            gap_s = 0.0 if self._answered_s is None else now_s - self._answered_s
            self._answering_s += min(gap_s, LONGEST_GAP_S)
            self._answered_s = now_s
        self.beat()

    def beat(self) -> None:
        """Say that the watcher works; to be called at least every few seconds."""
        bundle, why = self._loaded()
        if bundle != self._bundle:
            self._begin(bundle, 1)
        elif time.monotonic() - self._written_s < EVERY_S and why == self._why:
            return
        self._why = why
        self._write()

    def close(self, timeout_s: float) -> None:
        """Nothing waits to be delivered."""

    def stopped(self) -> None:
        """The watcher was asked to end: it has not failed to start."""
        self._starts = 0
        self._write()

    def _begin(self, bundle: str, starts: int) -> None:
        self._bundle, self._starts, self._why = bundle, starts, ""
        self._answering_s, self._answered_s, self._written_s = 0.0, None, 0.0

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
        try:
            write_text(self._path, told.to_json())
        except StorageError as error:
            self.failures += 1
            self.problem = str(error)
