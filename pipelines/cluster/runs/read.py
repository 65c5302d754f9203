"""Runs, read from the server."""

from itertools import islice
from typing import Any

import kfp_server_api as kfp

from pipelines.cluster.api.client import KubeflowClient, pages
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing
from pipelines.cluster.runs.model import ClusterRun
from pipelines.cluster.runs.tasks.rows import duration_s, message_of, rows
from pipelines.cluster.runs.tasks.spec import SpecTask, tasks_of
from pipelines.cluster.submit import find_experiment

CANCELING = "CANCELING"


class RunReader:
    """Reads one run, any number of times.

    Raises:
        ApiError: from `read`: the server refused or did not answer, or knows no such run.
    """

    def __init__(self, client: KubeflowClient, run_id: str) -> None:
        self._client = client
        self._run_id = run_id
        self._spec: list[SpecTask] | None = None

    def read(self) -> ClusterRun:
        """The run as it is now, with its tasks."""
        with doing(f"get the run {self._run_id}"):
            run = self._client.get_run(self._run_id)
            if self._spec is None:
                self._spec = _spec(self._client, run)
        details = (run.run_details.task_details if run.run_details else None) or []
        return _run(run, rows(details, self._spec, run.state or "PENDING"))


def get_run(client: KubeflowClient, run_id: str) -> ClusterRun:
    """A run with its tasks.

    Raises:
        ApiError: the server refused or did not answer, or knows no such run.
    """
    return RunReader(client, run_id).read()


def list_runs(client: KubeflowClient, experiment: str, limit: int) -> list[ClusterRun]:
    """The experiment's latest runs, without their tasks.

    Raises:
        ApiError: the server refused or did not answer.
    """
    experiment_id = find_experiment(client, experiment)
    if experiment_id is None:
        return []
    found = pages(
        "list the runs",
        client.list_runs,
        "runs",
        size=limit,  # each comes with all its tasks
        experiment_id=experiment_id,
        sort_by="created_at desc",
    )
    return [_run(one) for one in islice(found, limit)]


def _spec(client: KubeflowClient, run: kfp.V2beta1Run) -> list[SpecTask]:
    """The tasks of the run's pipeline; empty if its version has been deleted."""
    if run.pipeline_spec:
        return tasks_of(run.pipeline_spec)
    version = run.pipeline_version_reference
    if version is None or not version.pipeline_version_id:
        return []
    try:
        found = client.get_pipeline_version(version.pipeline_id, version.pipeline_version_id)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return []
        raise
    return tasks_of(found.pipeline_spec or {})


def _run(run: kfp.V2beta1Run, tasks: Any = ()) -> ClusterRun:
    state = run.state or "PENDING"
    return ClusterRun(
        str(run.run_id),
        str(run.display_name),
        state,
        run.created_at,
        duration_s(run.created_at, run.finished_at),
        message_of(run),
        run.recurring_run_id or "",
        CANCELING in {state, *(one.state for one in run.state_history or ())},
        tasks,
    )
