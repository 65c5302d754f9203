"""The pods of `training.workers`: infra/cluster.yaml in the terms of the training task that starts them."""

from collections.abc import Mapping

from components.training.trainjob.spec import SecretVariable, WorkerPods
from pipelines.cluster.config import ClusterConfig, TaskConfig
from reelflow.errors import ParamsError
from reelflow.nets.heads import is_linear
from reelflow.objectstore.open import NO_STORE
from reelflow.params import Params

STEP = "training"
GPU = "nvidia.com/gpu"
POD_FIELDS = {
    "REELFLOW_POD_NAME": "metadata.name",
    "REELFLOW_POD_UID": "metadata.uid",
    "REELFLOW_POD_NAMESPACE": "metadata.namespace",
}
"""What tells a task its own pod, which owns those of its workers."""


def has_workers(name: str, params: Params) -> bool:
    """Whether a task, such as `training thumbnail-gru`, starts workers."""
    step, _, candidate = name.partition(" ")
    return step == STEP and params.training.workers > 1 and not is_linear(candidate.rpartition("-")[2])


def worker_pods(
    cluster: ClusterConfig, config: TaskConfig, image: str, variables: Mapping[str, str]
) -> WorkerPods:
    """What each worker's pod is like: that of the task itself, with one GPU if there are any.

    Raises:
        ParamsError: the cluster has no store.
    """
    if cluster.store.address == NO_STORE:
        raise ParamsError(
            "training.workers is more than 1 and store.address is not set: workers read shards from the "
            "store, "
            "and get the rest of their inputs through it; set store.address, or training.workers to 1"
        )
    secrets = [
        SecretVariable(name=variable, secret=one.name, key=key, optional=one.optional)
        for one in cluster.secrets
        if not one.tasks or STEP in one.tasks
        for variable, key in one.env.items()
    ]
    requests, limits = config.requests.model_dump(), config.limits.model_dump()
    return WorkerPods(
        image=image,
        env=dict(variables),
        secrets=tuple(secrets),
        requests=requests,
        limits=limits | ({GPU: "1"} if config.gpus else {}),
        scratch=config.scratch,
        timeout_s=config.timeout_s,
        user=cluster.user,
        node_selector=config.node_selector,
        tolerations=tuple(one.model_dump(exclude_none=True) for one in config.tolerations),
        claims={one.path: one.claim for one in cluster.volumes if STEP in one.tasks},
    )
