"""The log of a task, by kubectl.

KFP 2.17's API has one route for logs, /apis/v1alpha1/runs/RUN/nodes/POD/log (backend/src/apiserver/main.go,
server/run_log_server.go). The generated client lacks it, KFP's UI does not pass it on
(frontend/server/app.ts), it answers 200 before it has read anything, and on a single-user installation it
names no namespace to Kubernetes (`ReadLog` in resource/resource_manager.go). So kubectl reads logs.
"""

import subprocess
import sys
from collections.abc import Sequence

from pipelines.cluster.runs.kubectl import CONTAINER, pods_of, refused, task_of
from pipelines.cluster.runs.model import ClusterRun, ClusterTask
from reelflow.errors import ClusterError, ParamsError


def print_log(run: ClusterRun, name: str, namespace: str, link: str, *, follow: bool = False) -> None:
    """Print what a task has written; of several attempts, the last.

    Args:
        run: the run.
        name: of the task; KFP's name is taken too.
        namespace: of the pods of runs.
        link: to the run in KFP's UI, where archived logs are.
        follow: go on until the task ends.

    Raises:
        ParamsError: the run has no such task.
        ClusterError: kubectl is missing or fails, or there is no pod any more.
    """
    task = _find(run, name)
    pods = [pod for pod in pods_of(run.id, namespace) if task_of(pod) == task.name]
    if not pods:
        raise ClusterError(_without_pod(run, task, namespace, link))
    pod = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))["metadata"]["name"]
    words = ["logs", pod, "--namespace", namespace, "--container", CONTAINER, *(["--follow"] * follow)]
    _stream(words)


def _find(run: ClusterRun, name: str) -> ClusterTask:
    task = next((one for one in run.tasks if name in (one.name, one.key)), None)
    if task is None:
        names = ", ".join(one.name for one in run.tasks)
        raise ParamsError(f"the run {run.id} has no task {name}; expected one of: {names}")
    return task


def _without_pod(run: ClusterRun, task: ClusterTask, namespace: str, link: str) -> str:
    told = f"the task {task.name} of the run {run.id}"
    if task.cached:
        return f"{told} was cached: it had no pod, and its log is that of the run that did the work"
    if task.attempts is None and task.started is None:
        return f"{told} has not begun ({task.state}): there is no log yet"
    return (
        f"{told} has no pod in the namespace {namespace} any more: name another --namespace, or look for an "
        f"archived log at {link}"
    )


def _stream(words: Sequence[str]) -> None:
    command = ["kubectl", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace"
    ) as running:
        assert running.stdout
        assert running.stderr
        for line in running.stdout:
            sys.stdout.write(line)
        told = running.stderr.read()
    if running.returncode:
        raise refused(told)
