"""Runs that never end: their recurring run was deleted while they were active.

A recurring run owns its workflows, so Kubernetes deletes them with it. Nobody tells KFP: the run keeps its
last state for ever, and a request to end it is answered with 500.
"""

from pipelines.cluster.api.client import KubeflowClient
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing
from pipelines.cluster.runs.model import ClusterRun


def is_orphan(client: KubeflowClient, run: ClusterRun) -> bool:
    """Whether a run has not ended and never will.

    Raises:
        ApiError: the server refused or did not answer.
    """
    if run.ended or not run.recurring_run_id:
        return False
    try:
        with doing(f"look for the recurring run {run.recurring_run_id}"):
            client.get_recurring_run(run.recurring_run_id)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return True
        raise
    return False


def explain_orphan(run: ClusterRun, link: str) -> str:
    """What an orphan is, and what to do."""
    return (
        f"an orphan: its recurring run {run.recurring_run_id} was deleted while it was active, and its "
        f"pods with it; it stays {run.state} for ever, but nothing runs: archive it at {link}, and start it "
        "again with `python -m pipelines submit`"
    )
