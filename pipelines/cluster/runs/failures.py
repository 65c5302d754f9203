"""What failed in a run, and why.

KFP 2.17's API tells which tasks failed, and no reason: `error` is empty in all recorded runs. The reason is
what the step itself left in MLflow.
"""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.cluster.runs.model import ClusterRun
from pipelines.cluster.runs.tasks.rows import first_line

EXIT_HANDLER = "outcome"


def with_reason(run: ClusterRun, tags: Mapping[str, str]) -> ClusterRun:
    """The run, with the reason at the task that recorded it, `TASK: REASON` in a tag of the run in MLflow."""
    from reelflow.tracking.records import FAILURE_TAG

    reason = tags.get(FAILURE_TAG, "")
    tasks = tuple(
        replace(task, error=first_line(reason.removeprefix(f"{task.name}: ")))
        if task.failed and not task.error and reason.startswith(f"{task.name}: ")
        else task
        for task in run.tasks
    )
    return replace(run, tasks=tasks)


def explain_failure(run: ClusterRun, link: str) -> str:
    """One line: what failed, why if that is known, and where to find more."""
    failed = [task for task in run.tasks if task.failed]
    failed = [task for task in failed if task.name != EXIT_HANDLER] or failed
    names = ", ".join(task.name for task in failed)
    if run.cancelled:
        during = f" during {names}" if names else ""
        return f"the run {run.id} was cancelled{during}: its tasks are at {link}"
    if not failed:
        why = f": {run.error}" if run.error else ""
        return f"the run {run.id} ended as {run.state}, but no task failed{why}: look at {link}"
    why = next((task.error for task in failed if task.error), run.error) or (
        "no reason is recorded: it was killed, ran out of memory or time, or MLflow did not answer"
    )
    logs = f'python -m pipelines logs {run.id} "{failed[0].name}"'
    return f"the run {run.id} failed in {names}: {why} (log: `{logs}`, or {link})"
