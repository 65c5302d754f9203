"""Runs on the server: their list, their tasks, and waiting for their end."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import kfp_server_api as kfp

from pipelines.cluster.api.client import KubeflowClient, pages
from pipelines.cluster.api.errors import ApiError, doing
from pipelines.cluster.submit import find_experiment

ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
WELL = {"SUCCEEDED", "SKIPPED"}
PLUMBING = ("root", "executor")  # what KFP runs around tasks, besides its drivers
MAX_LOST_POLLS = 10


@dataclass(frozen=True)
class ClusterTask:
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
        """Whether it has ended without a failure."""
        return self.state in WELL


@dataclass(frozen=True)
class ClusterRun(ClusterTask):
    """A run and its tasks, in the order in which they began."""

    tasks: tuple[ClusterTask, ...] = ()


def list_runs(client: KubeflowClient, experiment: str, limit: int) -> list[ClusterRun]:
    """The experiment's latest runs.

    Raises:
        ApiError: the server refused or did not answer.
    """
    experiment_id = find_experiment(client, experiment)
    if experiment_id is None:
        return []
    arguments = {"experiment_id": experiment_id, "sort_by": "created_at desc"}
    found = pages("list the runs", client.list_runs, "runs", **arguments)
    return [_run(one) for one in islice(found, limit)]


def get_run(client: KubeflowClient, run_id: str) -> ClusterRun:
    """A run with its tasks.

    Raises:
        ApiError: the server refused or did not answer, or knows no such run.
    """
    with doing(f"get the run {run_id}"):
        return _run(client.get_run(run_id))


def wait(
    client: KubeflowClient, run_id: str, every_s: float, tell: Callable[[ClusterRun], None]
) -> ClusterRun:
    """The run once it has ended; a server that does not answer a few polls is asked again.

    Args:
        client: of the server.
        run_id: of the run.
        every_s: seconds between two polls.
        tell: gets the run of each poll.

    Raises:
        ApiError: the server refused, or did not answer many polls in a row.
    """
    lost = 0
    while True:
        try:
            run, lost = get_run(client, run_id), 0
        except ApiError as error:
            lost += 1
            if not error.transient or lost == MAX_LOST_POLLS:
                raise
        else:
            tell(run)
            if run.ended:
                return run
        time.sleep(every_s)


def _run(run: kfp.V2beta1Run) -> ClusterRun:
    details = (run.run_details.task_details if run.run_details else None) or []
    tasks = [
        ClusterTask(
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
    return ClusterRun(
        str(run.run_id),
        str(run.display_name),
        run.state or "PENDING",
        run.created_at,
        _duration(run.created_at, run.finished_at),
        _error(run),
        tuple(task for task in tasks if not _is_plumbing(task)),
    )


def _is_plumbing(task: ClusterTask) -> bool:
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
