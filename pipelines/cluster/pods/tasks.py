"""Where and how a task runs on a cluster: infra/cluster.yaml in the terms of KFP and Kubernetes."""

from typing import Any

from kfp import kubernetes

from pipelines.cluster.config import SCRATCH_VOLUME, ClusterConfig, TaskConfig, amount
from pipelines.cluster.pods.workers import GPU, POD_FIELDS, has_workers, worker_pods
from pipelines.images import PROOF, image_name, read_images, reference_of
from pipelines.training import set_variables
from reelflow.objectstore.open import NO_STORE
from reelflow.params import Params

RUN_ID = "metadata.labels['pipeline/runid']"
PART_OF = {"app.kubernetes.io/part-of": "reelflow"}
COMPONENT = "app.kubernetes.io/component"
SCRATCH = "/tmp"  # noqa: S108
WRITABLE = (SCRATCH, "/minio", "/s3", "/gcs", "/.local", "/.cache", "/.config")
"""What a task may write: its own folder, and those where KFP's compiler mounts emptyDirs without a limit, for
artifacts and caches (backend/src/v2/compiler/argocompiler/container.go). Mounts merge by their path, so one
emptyDir takes the place of all: its limit is the one number for everything that a task may write."""
WAITING_S = 86_400
"""How long the pods of a task may wait for nodes. Beyond `maxDuration` after the start of the first attempt,
Argo tries nothing again and ends an attempt at work (`processNodeRetries` and `getDeadline` in v4.0.5 of
workflow/controller). kfp's default is an hour, which a first attempt alone may last."""
SHARDS_SHARE = 2
"""One part in so many of a task's scratch is for shards; the rest for clips, artifacts, temporary files."""


class TaskConfigurator:
    """Configures the tasks of a pipeline that is being built: a `ConfigureTask` of `pipelines.training`."""

    def __init__(self, params: Params, cluster: ClusterConfig) -> None:
        """Read the images' references.

        Raises:
            ParamsError: they cannot be read.
        """
        self._params = params
        self._cluster = cluster
        self.images = read_images(cluster.images)

    def __call__(self, task: Any, name: str) -> None:
        """Configure one task.

        Raises:
            ParamsError: its image has not been built.
        """
        step = name.split()[0]
        config = self._cluster.task_config(step)
        image = self._image(name, config)
        task.set_container_image(image)
        if step != PROOF:  # a device's command reads no setting, and sees no secret
            self._set_environment(task, step, config)
        if has_workers(name, self._params):
            self._set_workers(task, image, config)
            config = config.waiting_as(self._cluster.task_config("default"))
        _set_resources(task, config, self._cluster.backoff_s)
        _confine(task, step, config, self._cluster.user)
        for volume in self._cluster.volumes:
            if step in volume.tasks:
                kubernetes.mount_pvc(task, pvc_name=volume.claim, mount_path=volume.path)

    def _image(self, name: str, config: TaskConfig) -> str:
        image = image_name(name, self._params, gpu=config.gpus > 0)
        return reference_of(image, self.images, name)

    def _set_environment(self, task: Any, step: str, config: TaskConfig) -> None:
        """Environment variables: they are not part of KFP's cache key."""
        set_variables(task, self._variables(config))
        kubernetes.use_field_path_as_env(task, env_name="REELFLOW_RUN", field_path=RUN_ID)
        for secret in self._cluster.secrets:
            if secret.tasks and step not in secret.tasks:
                continue
            for variable, key in secret.env.items():
                kubernetes.use_secret_as_env(
                    task,
                    secret_name=secret.name,
                    secret_key_to_env={key: variable},
                    optional=secret.optional,
                )

    def _variables(self, config: TaskConfig) -> dict[str, str]:
        """Those of a task, and of its workers."""
        store = self._cluster.store
        found = {
            "MLFLOW_TRACKING_URI": self._cluster.mlflow.tracking_uri,
            "REELFLOW_STORE": store.address,
            "REELFLOW_PATIENCE_S": str(self._cluster.patience_s),
            "REELFLOW_CLIPS": f"{SCRATCH}/clips",
        }
        if store.address != NO_STORE:
            room = int(amount(config.scratch) / SHARDS_SHARE)
            found |= {"REELFLOW_SHARDS": "store", "REELFLOW_SCRATCH_BYTES": str(room)}
        if store.s3_endpoint:
            found["REELFLOW_S3_ENDPOINT"] = store.s3_endpoint
        return found

    def _set_workers(self, task: Any, image: str, config: TaskConfig) -> None:
        """Tell a training task the pods that it is to start, and which pod is its own."""
        pods = worker_pods(self._cluster, config, image, self._variables(config))
        task.set_env_variable("REELFLOW_TRAINJOB", pods.model_dump_json())
        for variable, field in POD_FIELDS.items():
            kubernetes.use_field_path_as_env(task, env_name=variable, field_path=field)


def _set_resources(task: Any, config: TaskConfig, backoff_s: int) -> None:
    """Resources, retries and nodes."""
    task.set_cpu_request(config.requests.cpu).set_cpu_limit(config.limits.cpu)
    task.set_memory_request(config.requests.memory).set_memory_limit(config.limits.memory)
    if config.gpus:
        task.set_accelerator_type(GPU).set_accelerator_limit(config.gpus)
    if config.retries:
        window_s = WAITING_S + (config.retries + 1) * config.timeout_s + backoff_s * 2**config.retries
        task.set_retry(
            config.retries,
            backoff_duration=f"{backoff_s}s",
            backoff_factor=2,
            backoff_max_duration=f"{window_s}s",
        )
    kubernetes.set_timeout(task, config.timeout_s)
    for label, value in config.node_selector.items():
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
    for one in config.tolerations:
        kubernetes.add_toleration(
            task, key=one.key, operator=one.operator, value=one.value, effect=one.effect
        )


def _confine(task: Any, step: str, config: TaskConfig, user: int) -> None:
    """The task's user, labels, and the folders it may write."""
    kubernetes.set_security_context(task, run_as_user=user, run_as_group=user, run_as_non_root=True)
    for path in WRITABLE:
        kubernetes.empty_dir_mount(
            task, volume_name=SCRATCH_VOLUME, mount_path=path, size_limit=config.scratch
        )
    for label, value in {**PART_OF, COMPONENT: step}.items():
        kubernetes.add_pod_label(task, label_key=label, label_value=value)
