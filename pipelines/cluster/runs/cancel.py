"""Ending a run early."""

from pipelines.cluster.api.client import KubeflowClient
from pipelines.cluster.api.errors import ApiError
from pipelines.cluster.runs.model import ClusterRun
from pipelines.cluster.runs.orphans import explain_orphan, is_orphan
from pipelines.cluster.runs.read import get_run
from pipelines.cluster.submit import run_link
from reelflow.errors import ClusterError

REFUSED = 400  # also for a run that has ended


def cancel(client: KubeflowClient, run_id: str) -> ClusterRun:
    """Ask for the end of a run: its pods are killed, its exit handler still runs.

    Returns:
        The run, which may have ended before.

    Raises:
        ApiError: the server refused or did not answer, or knows no such run.
        ClusterError: the run can never end.
    """
    run = get_run(client, run_id)
    if run.ended:
        return run
    if is_orphan(client, run):
        raise ClusterError(f"the run {run.id} is {explain_orphan(run, run_link(client.host, run.id))}")
    try:
        client.write(f"end the run {run_id}", lambda: client.terminate_run(run_id))
    except ApiError as error:
        run = get_run(client, run_id)
        if error.status == REFUSED and (run.ended or run.cancelled):
            return run
        raise
    return get_run(client, run_id)
