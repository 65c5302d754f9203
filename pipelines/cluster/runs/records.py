"""What a run's tasks have recorded in MLflow: tags of the run."""

from collections.abc import Mapping
from dataclasses import replace

from pipelines.cluster.runs.model import ClusterRun
from reelflow.errors import ReelflowError
from reelflow.settings import Settings


def recorded_tags(settings: Settings, run_id: str) -> dict[str, str]:
    """Tags of a run in MLflow; empty if it has none there, or MLflow does not answer."""
    from reelflow.tracking.tracker import RUN_TAG, Tracker

    try:
        tracker = Tracker(settings)
        found = tracker.find({RUN_TAG: run_id})
        return tracker.tags(found) if found else {}
    except ReelflowError:
        return {}


def with_transfers(run: ClusterRun, tags: Mapping[str, str]) -> ClusterRun:
    """The run, with the bytes that each task has read from the object store and written to it."""
    from reelflow.tracking.transfers import transfers_of

    found = transfers_of(tags)
    tasks = tuple(
        replace(
            task, read_bytes=sum(moved.read_bytes.values()), written_bytes=sum(moved.written_bytes.values())
        )
        if (moved := found.get(task.name))
        else task
        for task in run.tasks
    )
    return replace(run, tasks=tasks)
