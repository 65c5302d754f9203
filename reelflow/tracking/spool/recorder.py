"""Records a run while it works: what MLflow does not take waits on disk, and holds nothing up."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reelflow.errors import ReelflowError, StorageError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.client import is_reachable
from reelflow.tracking.spool.curves import Curves
from reelflow.tracking.spool.owed import Owed, OwedRelease, Spool, Status
from reelflow.tracking.spool.sending import read_events, send

RETRY_S = 30.0
CURVES_S = 5.0


class RunRecorder:
    """Records one run in order. Methods are called by one thread; `event` by any.

    Args:
        settings: with the run's name.
        reached: whether MLflow has answered at the start of the run.

    Attributes:
        problem: why something is still owed.
    """

    def __init__(self, settings: Settings, *, reached: bool = True) -> None:
        self._settings, self._spool = settings, Spool(settings.spool)
        self._owed = self._spool.of(settings).but(release=None, failure=None, status="")
        self._curves = Curves(settings)
        for event in read_events(settings.events) if settings.events else ():
            self._curves.add(event)
        self.problem: ReelflowError | None = None
        self._next_try = 0.0 if reached else time.monotonic() + RETRY_S
        self._next_curves = 0.0

    @property
    def curves_are_due(self) -> bool:
        """Whether it is time to send points of curves."""
        return self._curves.are_due and time.monotonic() >= max(self._next_curves, self._next_try)

    @property
    def owed(self) -> Owed:
        """What MLflow has not got."""
        return self._owed

    def event(self, event: Mapping[str, Any]) -> None:
        """Take note of an event of a step."""
        self._curves.add(event)

    def curves(self) -> None:
        """Send points of curves; if that fails, they wait."""
        self._next_curves = time.monotonic() + CURVES_S
        try:
            self._curves.send()
        except (TrackingError, StorageError) as error:
            self._failed(error)

    def step(self, folder: Path) -> None:
        """Record a finished step, after those that wait."""
        self._owed = self._owed.but(folders=(*(one for one in self._owed.folders if one != folder), folder))
        self._send()

    def end(self, status: Status, failure: tuple[str, str] | None, release: OwedRelease | None) -> None:
        """Record the end of the run.

        Args:
            status: of the run.
            failure: task and message, if it failed.
            release: the bundle that could not be registered, if that is so.
        """
        curves = self._settings.events if self._curves.are_due else None
        self._owed = self._owed.but(status=status, failure=failure, release=release, curves=curves)
        self._send()

    def _send(self) -> None:
        if time.monotonic() >= self._next_try:
            try:
                self._try()
            except (TrackingError, StorageError) as error:
                self._failed(error)
        self._spool.keep(self._owed)

    def _try(self) -> None:
        if self.problem and not is_reachable(self._settings):
            raise self.problem
        self._owed = send(self._owed, self._settings, self._left)
        self.problem = None

    def _left(self, owed: Owed) -> None:
        self._owed = owed

    def _failed(self, error: ReelflowError) -> None:
        self.problem, self._next_try = error, time.monotonic() + RETRY_S
