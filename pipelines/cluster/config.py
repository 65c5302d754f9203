"""infra/cluster.yaml, typed: how the pipeline runs on a cluster. No value here changes a result."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from pipelines.values import read_values
from reelflow.params import STEPS
from reelflow.sources.userinfo import without_credentials

Name = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
Label = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$")]
Variable = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]*$")]
MountPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._/-]+$")]
UNITS = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    "k": Decimal(10**3),
    **{unit: Decimal(10 ** (3 * power)) for power, unit in enumerate("MGT", start=2)},
    **{f"{unit}i": Decimal(1024**power) for power, unit in enumerate("KMGT", start=1)},
}
SCRATCH_VOLUME = "scratch"
MOST_PARTS = 8
DEFAULT = "default"
TASK_STEPS = ("check", *STEPS, "proof", "outcome")
"""Steps of the tasks of a run; `frames clips` is one of frames."""


def _is_step(name: str) -> str:
    if name not in TASK_STEPS:
        raise ValueError(f"there is no such step; expected one of {', '.join(TASK_STEPS)}")
    return name


def _is_step_or_default(name: str) -> str:
    return name if name == DEFAULT else _is_step(name)


Step = Annotated[str, pydantic.AfterValidator(_is_step)]
StepOrDefault = Annotated[str, pydantic.AfterValidator(_is_step_or_default)]


class ConfigSection(BaseModel):
    """Base of every section: frozen, rejects unknown names."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Kfp(ConfigSection):
    """The Kubeflow Pipelines API, and the names of what runs there."""

    host: str = Field(pattern=r"^https?://", description="REELFLOW_KFP_HOST overrides it")
    pods_host: str = Field(
        default="http://ml-pipeline.kubeflow:8888",
        pattern=r"^https?://",
        description="address for pods; the exit handler asks it, if permitted, which task was killed",
    )
    namespace: str = Field(default="", description="a profile's; empty for a single-user installation")
    experiment: str = Field(min_length=1)
    pipeline: str = Field(min_length=1, description="the name that versions are uploaded under")
    service_account: Name = Field(description="what the pods of a run may do")
    certificate_authority: Path | None = Field(
        default=None, description="PEM file of a private certificate authority"
    )
    timeout_s: PositiveInt = Field(description="of one request")


class Mlflow(ConfigSection):
    """The addresses of MLflow for pods and for users."""

    tracking_uri: str = Field(pattern=r"^https?://")
    ui: str = Field(pattern=r"^https?://", description="base address of links in the KFP UI")

    @pydantic.field_validator("tracking_uri")
    @classmethod
    def _has_no_password(cls, uri: str) -> str:
        if without_credentials(uri) != uri:
            raise ValueError("the KFP UI shows it: put MLFLOW_TRACKING_USERNAME and _PASSWORD into a secret")
        return uri


class Store(ConfigSection):
    """Where tasks share shards of frames and features."""

    address: str = Field(default="none", pattern=r"^(none|s3://.+)$")
    s3_endpoint: str = Field(default="", description="empty: Amazon's")


class Secret(ConfigSection):
    """A Kubernetes secret whose keys become environment variables of tasks."""

    name: Name
    env: dict[Variable, str] = Field(min_length=1, description="variable: key of the secret")
    optional: bool = Field(default=False, description="tasks start without it")
    tasks: tuple[Step, ...] = Field(default=(), description="steps that get it; empty: all")


class Volume(ConfigSection):
    """A claim that is mounted where the params expect clips or weights."""

    claim: Label = Field(description="KFP names the pod's volume after it, and a volume's name has no dots")
    path: MountPath
    tasks: tuple[Step, ...] = Field(min_length=1, description="steps that see it")

    @pydantic.field_validator("claim")
    @classmethod
    def _is_not_scratch(cls, claim: str) -> str:
        if claim == SCRATCH_VOLUME:
            raise ValueError("the volume of this name is for what a task writes; use a claim of another name")
        return claim


class Toleration(ConfigSection):
    """A taint of nodes that a task tolerates."""

    key: str
    operator: Literal["Equal", "Exists"] = "Equal"
    value: str | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"

    @pydantic.model_validator(mode="after")
    def _exists_has_no_value(self) -> Self:
        if self.operator == "Exists" and self.value:
            raise ValueError("Exists compares no value: leave it out, or set operator to Equal")
        return self


class Resources(ConfigSection):
    """CPU and memory of a container."""

    cpu: Quantity
    memory: Quantity


class TaskConfig(ConfigSection):
    """The resources of a task, its retries and its nodes."""

    requests: Resources = Field(description="what a node must have free, or the task waits")
    limits: Resources = Field(description="what the task may use")
    gpus: int = Field(default=0, ge=0, le=16)
    scratch: Quantity = Field(description="what the task may write: /tmp and KFP's artifacts together")
    timeout_s: PositiveInt
    retries: int = Field(ge=0, le=10)
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    def waiting_as(self, other: "TaskConfig") -> "TaskConfig":
        """Resources and nodes of another task, while pods of its own do the work; all else stays."""
        names = ("requests", "limits", "gpus", "node_selector", "tolerations")
        return self.model_copy(update={name: getattr(other, name) for name in names})

    @pydantic.model_validator(mode="after")
    def _requests_are_within_limits(self) -> Self:
        for what in Resources.model_fields:
            asked, allowed = getattr(self.requests, what), getattr(self.limits, what)
            if amount(asked) > amount(allowed):
                raise ValueError(f"requests.{what} is {asked}, which is more than limits.{what}, {allowed}")
        return self


class ClusterConfig(ConfigSection):
    """All of infra/cluster.yaml.

    Attributes:
        images: JSON file of the images' references by name, as `make images` writes it.
        tasks: by step; `default` for the others.
    """

    kfp: Kfp
    mlflow: Mlflow
    store: Store = Store()
    fan_out: Annotated[int, Field(ge=1, le=1000)] | Literal["auto"] = Field(
        default=1, description="tasks that frames and features are split into; auto: by the number of shards"
    )
    images: Path
    user: PositiveInt = Field(description="numeric user of every container; the images' own is 10001")
    secrets: tuple[Secret, ...] = ()
    volumes: tuple[Volume, ...] = ()
    patience_s: int = Field(
        default=900, ge=0, description="how long a task itself retries while a server does not answer"
    )
    backoff_s: PositiveInt = Field(description="before the first retry; doubled before each further one")
    tasks: dict[StepOrDefault, TaskConfig]

    def parts(self, shards: int) -> int:
        """How many tasks share the work on so many shards.

        With two shards a part or more, parts of real clips are within 1.1 of each other in bytes.
        """
        return max(1, min(MOST_PARTS, shards // 2)) if self.fan_out == "auto" else self.fan_out

    def task_config(self, step: str) -> TaskConfig:
        """The configuration of the tasks of a step."""
        return self.tasks.get(step, self.tasks[DEFAULT])

    @pydantic.model_validator(mode="after")
    def _fan_out_needs_a_store(self) -> Self:
        if self.fan_out != 1 and self.store.address == "none":
            raise ValueError("fan_out needs a store.address through which tasks share their shards")
        return self

    @pydantic.field_validator("tasks")
    @classmethod
    def _has_default(cls, tasks: dict[str, TaskConfig]) -> dict[str, TaskConfig]:
        if DEFAULT not in tasks:
            raise ValueError(f"needs an entry called {DEFAULT}")
        return tasks


def amount(quantity: str) -> Decimal:
    """A quantity in Kubernetes's notation as a number: CPUs, or bytes."""
    number = quantity.rstrip("".join(UNITS))
    return Decimal(number) * UNITS[quantity.removeprefix(number)]


def load_cluster(path: Path) -> ClusterConfig:
    """Read a cluster file, and the one that it extends.

    Raises:
        ParamsError: it cannot be read, or a value cannot be used.
    """
    return read_values(path, ClusterConfig)
