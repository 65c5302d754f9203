"""The training task as it starts workers on a cluster: it creates them, waits, and takes their output."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from types import FrameType

from components.training.job import TrainingJob
from components.training.trainjob.api import KubernetesApi
from components.training.trainjob.exchange import Exchange
from components.training.trainjob.manifest import Owner, train_job, training_runtime
from components.training.trainjob.spec import WorkerPods
from components.training.trainjob.watch import wait_for
from reelflow.errors import ParamsError, ReelflowError, StepError
from reelflow.objectstore.interface import ObjectStore
from reelflow.progress import emit
from reelflow.settings import Settings

ENDED = 128 + signal.SIGTERM


def train_on_cluster(
    job: TrainingJob,
    workers: int,
    settings: Settings,
    store: ObjectStore | None,
    api: KubernetesApi | None = None,
) -> None:
    """Train by so many pods; the output is then in the job's folder.

    Args:
        job: what to train.
        workers: number of pods.
        settings: name the pods' configuration and this task's pod.
        store: through which tasks and workers share files.
        api: by default that of the cluster in which this task runs.

    Raises:
        ParamsError: there is no store.
        ClusterError: the API refused or is not reachable.
        StepError: a worker was killed or lost, or all took too long.
        ReelflowError: what a worker raised.
    """
    if store is None:
        raise ParamsError(
            f"training.workers is {workers} and the cluster file names no store, from which workers read "
            "shards: set store.address, or training.workers to 1"
        )
    pods = WorkerPods.model_validate_json(settings.trainjob)
    owner = Owner(settings.pod_name, settings.pod_uid, f"reelflow-{token_hex(5)}")
    api = api or KubernetesApi(settings.pod_namespace, settings.patience_s)
    exchange = Exchange(store, owner.team)
    with _ending_by_signal(), _removed(api, exchange, owner.team):
        exchange.put_inputs(job)
        api.create("trainingruntimes", training_runtime(pods, owner))
        api.create("trainjobs", train_job(pods, owner, workers))
        emit("notice", message=f"TrainJob {owner.team}: {workers} workers train together")
        try:
            wait_for(api, owner.team)
        except StepError as error:
            raise next(iter(exchange.errors()), error) from None
        exchange.get_output(job)


@contextmanager
def _removed(api: KubernetesApi, exchange: Exchange, team: str) -> Iterator[None]:
    """At the end, however it comes, nothing is left; what cannot be removed goes with the task's pod."""
    try:
        yield
    finally:
        try:
            api.delete("trainjobs", team)
            api.delete("trainingruntimes", team)
            exchange.remove()
        except ReelflowError as error:
            emit("notice", message=f"{error}; it goes with the pod of this task")


@contextmanager
def _ending_by_signal() -> Iterator[None]:
    """SIGTERM ends the block as an exception would: Argo sends it when a run is terminated."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise SystemExit(ENDED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
