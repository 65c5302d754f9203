"""Pods of a run, by kubectl: KFP's API does not show them."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any

from reelflow.errors import ClusterError

RUN_LABEL = "pipeline/runid"
TASK_VARIABLE = "REELFLOW_TASK"
CONTAINER = "main"
TIMEOUT_S = 60

Pod = Mapping[str, Any]


def pods_of(run_id: str, namespace: str, timeout_s: float = TIMEOUT_S) -> list[Pod]:
    """The pods of a run that still exist, as Kubernetes reports them.

    Raises:
        ClusterError: kubectl is missing, fails, or does not answer.
    """
    selector = f"{RUN_LABEL}={run_id}"
    words = ["get", "pods", "--namespace", namespace, "--selector", selector, "--output", "json"]
    try:
        done = subprocess.run(
            ["kubectl", *words],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
    except FileNotFoundError as error:
        raise _missing() from error
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"kubectl did not answer in {timeout_s:.0f} s: check its context") from error
    if done.returncode:
        raise refused(done.stderr)
    pods: list[Pod] = json.loads(done.stdout)["items"]
    return pods


def task_of(pod: Pod) -> str:
    """The name of the task whose step a pod runs; empty for one of KFP's drivers."""
    return next(
        (
            str(variable.get("value", ""))
            for container in pod["spec"]["containers"]
            if container["name"] == CONTAINER
            for variable in container.get("env") or ()
            if variable.get("name") == TASK_VARIABLE
        ),
        "",
    )


def refused(told: str) -> ClusterError:
    """The error for a message of kubectl on standard error."""
    reason = " ".join(told.split()) or "without a word"
    return ClusterError(f"kubectl failed: {reason}\n\tcheck its context with `kubectl config get-contexts`")


def _missing() -> ClusterError:
    return ClusterError(
        "kubectl, which reads pods and logs, is not on the PATH: install it, or look at KFP's UI "
        "(the link of `python -m pipelines status`)"
    )
