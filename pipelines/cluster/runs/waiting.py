"""Why pods of a run do not start: KFP's API does not know, kubectl does."""

import re
from collections.abc import Iterator
from dataclasses import replace

from pipelines.cluster.runs.kubectl import Pod, pods_of, task_of
from pipelines.cluster.runs.model import ClusterRun
from pipelines.cluster.runs.tasks.rows import DRIVER, first_line
from reelflow.errors import ClusterError

# https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/ (conditions, container states)
NODE_NAME = "workflows.argoproj.io/node-name"  # workflow/common/common.go of Argo
ATTEMPT = re.compile(r"\(\d+\)$")  # which Argo appends for a node that it may try again
STARTING = {"ContainerCreating", "PodInitializing"}
TIMEOUT_S = 15


def with_waiting(run: ClusterRun, namespace: str) -> tuple[ClusterRun, str]:
    """The run, with the reason at each task whose pod cannot start; or why no reason is known."""
    try:
        pods = pods_of(run.id, namespace, TIMEOUT_S)
    except ClusterError as error:
        return run, f"whether pods wait for a node is not known: {first_line(str(error))}"
    reasons = {_key(pod): reason for pod in pods for reason in _reasons(pod)}
    tasks = tuple(
        replace(task, error=first_line(reason))
        if not task.error and (reason := reasons.get(task.name) or reasons.get(task.key))
        else task
        for task in run.tasks
    )
    return replace(run, tasks=tasks), ""


def _key(pod: Pod) -> str:
    """The task's own name; of one of KFP's drivers, KFP's name of its task."""
    node = str((pod["metadata"].get("annotations") or {}).get(NODE_NAME, ""))
    return task_of(pod) or ATTEMPT.sub("", node.rpartition(".")[2]).removesuffix(DRIVER)


def _reasons(pod: Pod) -> Iterator[str]:
    """Why a pod does not start; nothing of one that starts, runs or has ended."""
    status = pod.get("status") or {}
    if status.get("phase") != "Pending":
        return
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"no node takes its pod: {condition.get('message') or condition.get('reason')}"
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") and waiting["reason"] not in STARTING:
                yield f"its pod does not start: {waiting['reason']}: {waiting.get('message', '')}"
