"""A run and its tasks, as commands show them."""

from dataclasses import dataclass
from datetime import datetime

ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
WELL = {"SUCCEEDED", "SKIPPED"}
FAILED = "FAILED"


@dataclass(frozen=True)
class ClusterTask:
    """A task of a run.

    Attributes:
        name: its own, as `training thumbnail-gru`.
        key: KFP's name for it, as `training-3`.
        state: KFP's; STARTING while only its driver has begun, NOT RUN if the run ended before it.
        cached: whether its output is that of an earlier run.
        attempts: pods that were made for it; None if it has not begun, or the server does not tell.
        duration_s: until now for one that has not ended; None before its start.
        error: first line; empty if none is known.
        read_bytes: from the object store; None if that is not recorded.
        written_bytes: to the object store, likewise.
    """

    name: str
    key: str
    state: str
    cached: bool
    attempts: int | None
    started: datetime | None
    duration_s: float | None
    error: str
    read_bytes: int | None = None
    written_bytes: int | None = None

    @property
    def failed(self) -> bool:
        """Whether it has failed."""
        return self.state == FAILED


@dataclass(frozen=True)
class ClusterRun:
    """A run.

    Attributes:
        recurring_run_id: of the recurring run that started it; empty for one that was submitted.
        cancelled: whether someone has asked for its end.
        duration_s: until now for one that has not ended.
        tasks: in the order of their starts; empty in a list of runs.
    """

    id: str
    name: str
    state: str
    created: datetime | None
    duration_s: float | None
    error: str
    recurring_run_id: str = ""
    cancelled: bool = False
    tasks: tuple[ClusterTask, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED

    @property
    def well(self) -> bool:
        """Whether it has ended without a failure."""
        return self.state in WELL
