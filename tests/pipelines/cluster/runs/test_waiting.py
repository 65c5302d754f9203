"""`status` says which pods cannot start, and why: kubectl is a script that answers from a file of pods."""

import json
from pathlib import Path

import pytest

from pipelines.cluster.runs.model import ClusterRun, ClusterTask
from pipelines.cluster.runs.waiting import NODE_NAME, with_waiting
from tests.pipelines.cluster.runs.test_logs import kubectl, pod

__all__ = ["kubectl"]  # the fixture

TASKS = ("frames", "training thumbnail-gru")
RUN = ClusterRun(
    "1e7e",
    "run",
    "RUNNING",
    None,
    1,
    "",
    tasks=tuple(
        ClusterTask(name, name.replace(" ", "-"), "PENDING", False, 1, None, None, "") for name in TASKS
    ),
)
FULL = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available"


def unschedulable() -> dict[str, object]:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": FULL}
    return {"phase": "Pending", "conditions": [condition]}


def container(reason: str, message: str) -> dict[str, object]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "main", "state": state}]}


def found(folder: Path, **more: object) -> dict[str, str]:
    (folder / "pods.json").write_text(
        json.dumps({"items": [pod("impl", "2026", "training thumbnail-gru") | more]})
    )
    run, unknown = with_waiting(RUN, "team")
    assert not unknown
    return {task.name: task.error for task in run.tasks if task.error}


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (unschedulable(), f"no node takes its pod: {FULL}"),
        (
            container("ImagePullBackOff", "no such image"),
            "its pod does not start: ImagePullBackOff: no such image",
        ),
        (container("ContainerCreating", ""), None),
        ({"phase": "Running"}, None),
        (unschedulable() | {"phase": "Failed"}, None),
        ({}, None),
    ],
)
def test_a_pod_that_cannot_start_says_why(kubectl, status, told):
    assert found(kubectl, status=status).get("training thumbnail-gru") == told


@pytest.mark.parametrize("attempt", ["", "(0)", "(12)"])
def test_a_driver_is_known_by_its_node(kubectl, attempt):
    """With KFP's stock configuration Argo may try every node again, and numbers attempts (02)."""
    node = {NODE_NAME: f"reelflow-abcde{attempt}.root{attempt}.condition-2{attempt}.frames-driver{attempt}"}
    spec = {"containers": [{"name": "main", "env": []}]}
    told = found(kubectl, metadata={"name": "x", "annotations": node}, spec=spec, status=unschedulable())
    assert told == {"frames": f"no node takes its pod: {FULL}"}


def test_where_kubectl_is_refused_nothing_is_guessed(kubectl):
    (kubectl / "refuses").touch()
    run, unknown = with_waiting(RUN, "team")
    assert run == RUN
    assert unknown.startswith("whether pods wait for a node is not known: kubectl failed: error: You must be")
