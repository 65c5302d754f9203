"""Runs on the server: which there are, how their tasks fare, and when one has ended."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pipelines.cluster.api import Api
from pipelines.cluster.failures import ApiError
from pipelines.cluster.submit import find_experiment

ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
WELL = {"SUCCEEDED", "SKIPPED"}
PLUMBING = ("root", "executor")  # what KFP runs around tasks, beside its drivers
LOST_POLLS = 10


@dataclass(frozen=True)
class Task:
    """A task of a run, or a run.

    Attributes:
        duration_s: until now for one that has not ended; None before its start.
    """

    id: str
    name: str
    state: str
    created: datetime | None
    duration_s: float | None
    error: str

    @property
    def ended(self) -> bool:
        """Whether its state is final."""
        return self.state in ENDED

    @property
    def well(self) -> bool:
        """Whether it has ended as it should."""
        return self.state in WELL


@dataclass(frozen=True)
class Run(Task):
    """A run and its tasks, in the order in which they began."""

    tasks: tuple[Task, ...] = ()


def list_runs(api: Api, experiment: str, limit: int) -> list[Run]:
    """The experiment's latest runs.

    Raises:
        ApiError: the server refused or did not answer.
    """
    experiment_id = find_experiment(api, experiment)
    if experiment_id is None:
        return []
    within = {"namespace": api.namespace} if api.namespace else {}
    found = api.pages(
        "list the runs",
        api.runs.run_service_list_runs,
        "runs",
        experiment_id=experiment_id,
        sort_by="created_at desc",
        **within,
    )
    return [_run(one) for one in islice(found, limit)]


def get_run(api: Api, run_id: str) -> Run:
    """A run with its tasks.

    Raises:
        ApiError: the server refused or did not answer, or knows no such run.
    """
    return _run(api.call(f"get the run {run_id}", api.runs.run_service_get_run, run_id=run_id))


def wait(api: Api, run_id: str, every_s: float, tell: Callable[[Run], None]) -> Run:
    """The run once it has ended; a server that is away for some polls is waited for.

    Args:
        api: where.
        run_id: of the run.
        every_s: seconds between two looks.
        tell: hears of each look.

    Raises:
        ApiError: the server refused, or stayed away.
    """
    lost = 0
    while True:
        try:
            run, lost = get_run(api, run_id), 0
        except ApiError as error:
            lost += 1
            if not error.transient or lost == LOST_POLLS:
                raise
        else:
            tell(run)
            if run.ended:
                return run
        time.sleep(every_s)


def _run(run: Any) -> Run:
    details = (run.run_details.task_details if run.run_details else None) or []
    tasks = [
        Task(
            str(one.task_id),
            str(one.display_name),
            one.state or "PENDING",
            one.create_time,
            _duration(one.start_time or one.create_time, one.end_time),
            _error(one),
        )
        for one in sorted(
            details, key=lambda d: d.start_time or d.create_time or datetime.max.replace(tzinfo=UTC)
        )
    ]
    return Run(
        str(run.run_id),
        str(run.display_name),
        run.state or "PENDING",
        run.created_at,
        _duration(run.created_at, run.finished_at),
        _error(run),
        tuple(task for task in tasks if not _is_plumbing(task)),
    )


def _is_plumbing(task: Task) -> bool:
    """What KFP runs around a task is shown only where it failed."""
    around = task.name in PLUMBING or task.name.endswith("-driver")
    return around and task.state != "FAILED"


def _error(one: Any) -> str:
    return (one.error.message or "") if one.error else ""


def _duration(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds; the server writes 1970 for a time that has not come."""
    if start is None or start.year <= 1970:
        return None
    if end is None or end.year <= 1970:
        end = datetime.now(UTC)
    return (end - start).total_seconds()
