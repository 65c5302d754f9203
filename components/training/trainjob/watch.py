"""Waits for a TrainJob, tells its state, and why it failed."""

import time
from collections.abc import Iterator

from components.training.trainjob.api import KubernetesApi
from components.training.trainjob.manifest import Manifest
from reelflow.errors import ClusterError, ReelflowError, StepError
from reelflow.progress import emit

POLL_S = 5.0
JOB_SET = "jobset.sigs.k8s.io/jobset-name"  # a label that JobSet gives its pods
RANK = "batch.kubernetes.io/job-completion-index"


def wait_for(api: KubernetesApi, team: str) -> None:
    """Wait until the TrainJob is complete.

    Raises:
        StepError: it failed: a pod was killed or lost, or it took too long.
        ClusterError: it was deleted, or the API is not reachable.
    """
    told, reasons = "", dict[str, str]()
    while True:
        job, pods = api.get("trainjobs", team), api.pods(f"{JOB_SET}={team}")
        if job is None:
            raise ClusterError(f"the TrainJob {team} was deleted while it trained: run the task again")
        for pod in pods:  # a pod may be gone when the TrainJob has failed
            for why in _reasons(pod):
                reasons.setdefault(_rank(pod), why)
        if (state := _state(pods)) != told:
            emit("notice", message=f"TrainJob {team}: {state}")
            told = state
        if _condition(job, "Complete"):
            return
        if failed := _condition(job, "Failed"):
            raise _failure(team, failed, reasons)
        time.sleep(POLL_S)


def _condition(job: Manifest, kind: str) -> Manifest | None:
    """A condition that holds: Complete and Failed are those of the JobSet, or set by Trainer itself."""
    conditions = job.get("status", {}).get("conditions", ())
    return next((one for one in conditions if one["type"] == kind and one["status"] == "True"), None)


def _failure(team: str, failed: Manifest, reasons: dict[str, str]) -> ReelflowError:
    why = "; ".join(f"worker {rank} {reason}" for rank, reason in sorted(reasons.items()))
    return StepError(
        f"the TrainJob {team} failed ({failed['reason']}: {failed['message']})"
        f"{': ' + why if why else ', and no pod says why'}: look at the limits of the task training in the "
        "cluster file, and at the nodes"
    )


def _state(pods: list[Manifest]) -> str:
    """The phase of each worker, and why one waits."""
    if not pods:
        return "no pod yet"
    return ", ".join(f"worker {_rank(pod)} {_phase(pod)}" for pod in sorted(pods, key=_rank))


def _phase(pod: Manifest) -> str:
    status = pod.get("status", {})
    waits = [
        f" ({one.get('reason')}: {one.get('message', '')})"
        for one in status.get("conditions", ())
        if one["type"] == "PodScheduled" and one["status"] == "False"
    ]
    return f"{status.get('phase', 'Unknown').lower()}{''.join(waits)}"


def _reasons(pod: Manifest) -> Iterator[str]:
    """Why a pod failed: the kubelet's reason, such as Evicted, or how its container ended."""
    status = pod.get("status", {})
    if status.get("phase") == "Failed" and status.get("reason"):
        yield f"was ended ({status['reason']}: {status.get('message', '')})"
    for container in status.get("containerStatuses", ()):
        ended = container.get("state", {}).get("terminated", {})
        if ended.get("exitCode"):
            yield f"ended with exit code {ended['exitCode']} ({ended.get('reason', 'Error')})"


def _rank(pod: Manifest) -> str:
    return str(pod["metadata"].get("labels", {}).get(RANK, "?"))
