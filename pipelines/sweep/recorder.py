"""Records a search while it works: what MLflow does not take waits on disk, and holds nothing up."""

import time
from collections.abc import Callable
from pathlib import Path

from pipelines.trials.record import SearchRecord, record_search
from pipelines.trials.search import Attempt
from reelflow.errors import ReelflowError, StorageError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.client import check_reachable
from reelflow.tracking.facts.spans import MS
from reelflow.tracking.spool.owed import OwedSearch, TrackingSpool
from reelflow.tracking.spool.recorder import RETRY_S


class SearchRecorder:
    """Records the trials of a search as they end, and what it has found.

    Args:
        settings: with the name of the search's run.
        params: of that run.
        out: folder of the search.
        tell: shows a notice.
        reached: whether MLflow has answered at the start.
    """

    def __init__(
        self,
        settings: Settings,
        params: dict[str, str],
        out: Path,
        tell: Callable[[str], None],
        *,
        reached: bool = True,
    ) -> None:
        self._settings, self._params, self._out, self._tell = settings, params, out, tell
        self._spool = TrackingSpool(settings.spool)
        self._behind = not reached
        self._next_try = 0.0 if reached else time.monotonic() + RETRY_S
        self._record: SearchRecord | None = None

    def trial(self, fold: str, attempt: Attempt) -> None:
        """Record a trial; what MLflow does not take of it is recorded at the end."""
        if time.monotonic() < self._next_try:
            return
        try:
            if self._behind:
                check_reachable(self._settings)
            self._record = self._record or SearchRecord(self._settings, self._params)
            self._record.trial(fold, attempt)
        except TrackingError as error:
            if not self._behind:
                self._tell(f"{error}; trials are recorded at the end")
            self._behind, self._next_try = True, time.monotonic() + RETRY_S

    def finish(self) -> ReelflowError | None:
        """Record the result and trials that could not be; returns why not, if they are still owed."""
        search = OwedSearch(out=self._out, params=self._params, ended_ms=int(time.time() * MS))
        owed = self._spool.of(self._settings).but(search=search)
        self._spool.keep(owed)  # a process that is killed here leaves it to a replay
        try:
            if self._behind:
                check_reachable(self._settings)
            record_search(self._settings, search)
        except (TrackingError, StorageError) as error:
            return error
        self._spool.keep(owed.but(search=None))
        return None
