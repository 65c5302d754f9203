"""Records a run while it works: what MLflow does not take waits on disk, and holds nothing up."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelflow.errors import ReelflowError, StorageError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.client import is_reachable
from reelflow.tracking.facts.spans import MS, Span, span_of
from reelflow.tracking.spool.curves import Curves
from reelflow.tracking.spool.owed import OwedRelease, Status, TrackingSpool
from reelflow.tracking.spool.sending import copy_curves, read_events, send

RETRY_S = 30.0
CURVES_S = 5.0


class RunRecorder:
    """Records one run in order. Methods are called by one thread; `event` by any.

    Args:
        settings: with the run's name, and the address at which steps reach MLflow.
        asked: those of the user; the address in them outlives the run.
        reached: whether MLflow has answered at the start of the run.

    Attributes:
        problem: why something is still owed; None if all is recorded.
    """

    def __init__(self, settings: Settings, asked: Settings, *, reached: bool = True) -> None:
        self._settings, self._spool = settings, TrackingSpool(settings.spool)
        self._owed = self._spool.of(asked).but(release=None, failure=None, status="", ended_ms=None)
        self._curves = Curves(settings)
        self._spans: dict[Path, Span] = {}
        for event in read_events(settings.events) if settings.events else ():
            self.event(event)
        self.problem: ReelflowError | None = None
        self._next_try = 0.0 if reached else time.monotonic() + RETRY_S
        self._next_curves = 0.0

    @property
    def curves_are_due(self) -> bool:
        """Whether it is time to send points of curves."""
        return self._curves.are_due and time.monotonic() >= max(self._next_curves, self._next_try)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take note of an event of a step."""
        self._curves.add(event)
        if span := span_of(event):
            self._spans[Path(event["folder"])] = span

    def curves(self) -> None:
        """Send points of curves; if that fails, they wait."""
        if not self.curves_are_due:
            return
        try:
            self._check_reachable()
            self._curves.send()
        except (TrackingError, StorageError) as error:
            self._failed(error)
        self._next_curves = time.monotonic() + CURVES_S

    def step(self, folder: Path) -> None:
        """Record a finished step, after what waits: points of its curves are then not sent again with it."""
        self._next_curves = 0.0
        self.curves()
        self._owed = self._owed.with_folder(folder, self._spans.get(folder))
        self._send()

    def end(
        self, status: Status, failure: tuple[str, str] | None = None, release: OwedRelease | None = None
    ) -> None:
        """Record the end of the run.

        Args:
            status: of the run, when a bundle that is owed has been registered.
            failure: task and message, if it failed.
            release: the bundle that could not be registered, if that is so.
        """
        self._next_try = self._next_curves = 0.0
        self.curves()
        ended_ms = int(time.time() * MS)
        self._owed = self._owed.but(status=status, ended_ms=ended_ms, failure=failure, release=release)
        if self._curves.are_due and self._settings.events:
            copy_curves(self._settings.events, self._spool.curves_of(self._owed.run))
            self._owed = self._owed.but(curves=True)
        self._next_try = 0.0
        self._send()

    def _send(self) -> None:
        if time.monotonic() >= self._next_try:
            try:
                self._check_reachable()
                self._owed = send(self._owed, self._settings, self._spool)
                self.problem = None
            except (TrackingError, StorageError) as error:
                self._failed(error)
        self._spool.keep(self._owed)

    def _check_reachable(self) -> None:
        """Ask quickly whether MLflow is back: its own requests wait for minutes where it hangs."""
        if self.problem and not is_reachable(self._settings):
            raise self.problem

    def _failed(self, error: ReelflowError) -> None:
        self.problem, self._next_try = error, time.monotonic() + RETRY_S
