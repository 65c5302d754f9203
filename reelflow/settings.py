"""Settings from environment variables: MLflow, object store, credentials, folders."""

import re
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from reelflow.errors import ParamsError

SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")


def sqlite_uri(file: Path) -> str:
    """The tracking URI of a sqlite file: SQLAlchemy decodes it, and a question mark would start a query."""
    return f"sqlite:///{str(file).replace('%', '%25').replace('?', '%3F')}"


def _home() -> Path:
    """The home folder; the working folder for a user without one."""
    try:
        return Path.home()
    except RuntimeError:
        return Path.cwd()


def _without_id_of_a_named(values: Any) -> Any:
    """Values without the id of an experiment, if it is named too: that may be a leftover of the shell."""
    named = {"MLFLOW_EXPERIMENT_NAME", "experiment"} & set(values)
    id_keys = {"MLFLOW_EXPERIMENT_ID", "experiment_id"} if named else set()
    return {name: value for name, value in values.items() if name not in id_keys}


class Settings(BaseSettings):
    """Read from environment variables.

    Attributes:
        tracking_uri: `MLFLOW_TRACKING_URI`; a sqlite file in the working folder by default.
        experiment: `MLFLOW_EXPERIMENT_NAME`.
        experiment_id: `MLFLOW_EXPERIMENT_ID`; of an experiment that is there, where no name is given.
        task_run: `MLFLOW_RUN_ID`; the run in MLflow that Kubeflow Pipelines has made for this task.
        launcher_tracking: `KFP_MLFLOW_CONFIG`; how Kubeflow Pipelines' launcher reaches MLflow, as JSON.
        run_name: `REELFLOW_RUN`; the name that groups the steps of one run in MLflow.
        task: `REELFLOW_TASK`; what the running step is called in progress and logs.
        work: `REELFLOW_WORK`; a folder that outlives the run: finished steps are kept in it, and
            outputs become links into it.
        events: `REELFLOW_EVENTS`; the file to which steps append their progress. The process that watches
            it also records the steps in MLflow.
        store: `REELFLOW_STORE`; the store of shared shards: a folder, `s3://BUCKET/PREFIX`, or `none`.
        shards: `REELFLOW_SHARDS`; `store`: new shards stay in the store, and outputs only name them;
            `folder`: they are in the outputs too.
        scratch_bytes: `REELFLOW_SCRATCH_BYTES`; bytes of shards of the store that a task keeps on its disk
            at once; 0 for no limit.
        s3_endpoint: `REELFLOW_S3_ENDPOINT`; the server of `s3://`; the `AWS_` variables hold the
            credentials.
        clips: `REELFLOW_CLIPS`; where clips that were fetched are kept.
        kfp_host: `REELFLOW_KFP_HOST`; the Kubeflow Pipelines API; else as infra/cluster.yaml says.
        kfp_token: `REELFLOW_KFP_TOKEN`; a bearer token for it.
        kfp_token_file: `REELFLOW_KFP_TOKEN_FILE`; a file with that token, read for each request, as
            Kubernetes mounts a service account's.
        spool: `REELFLOW_SPOOL`; where what MLflow has not got yet waits.
        patience_s: `REELFLOW_PATIENCE_S`; how long a step tries again what fails because a server is away.
        trainjob: `REELFLOW_TRAINJOB`; on a cluster, the pods of `training.workers`, as JSON.
        pod_name: `REELFLOW_POD_NAME`; the pod of this task.
        pod_uid: `REELFLOW_POD_UID`; of the same.
        pod_namespace: `REELFLOW_POD_NAMESPACE`; of the same.
        revision: `REELFLOW_REVISION`; in an image: the commit that it was built from.
        webhook: `REELFLOW_WEBHOOK`; a URL that is called when a run fails on a cluster.
        weights_mirror: `REELFLOW_WEIGHTS_MIRROR`; a URL that replaces the publishers' hosts.
        weights_cache: `REELFLOW_WEIGHTS_CACHE`; where downloaded weights are kept.
    """

    model_config = SettingsConfigDict(frozen=True, populate_by_name=True, env_ignore_empty=True)

    tracking_uri: str = Field(
        default_factory=lambda: sqlite_uri(Path.cwd() / "mlflow.db"),
        validation_alias="MLFLOW_TRACKING_URI",
    )
    experiment: str = Field(default="reelflow", validation_alias="MLFLOW_EXPERIMENT_NAME")
    experiment_id: str = Field(default="", validation_alias="MLFLOW_EXPERIMENT_ID")
    task_run: str = Field(default="", validation_alias="MLFLOW_RUN_ID")
    launcher_tracking: str = Field(default="", validation_alias="KFP_MLFLOW_CONFIG")
    run_name: str = Field(default="", validation_alias="REELFLOW_RUN")
    task: str = Field(default="", validation_alias="REELFLOW_TASK")
    work: Path | None = Field(default=None, validation_alias="REELFLOW_WORK")
    events: Path | None = Field(default=None, validation_alias="REELFLOW_EVENTS")
    store: str = Field(
        default_factory=lambda: str(Path.cwd() / ".reelflow" / "store"), validation_alias="REELFLOW_STORE"
    )
    shards: Literal["folder", "store"] = Field(default="folder", validation_alias="REELFLOW_SHARDS")
    scratch_bytes: int = Field(default=0, ge=0, validation_alias="REELFLOW_SCRATCH_BYTES")
    s3_endpoint: str | None = Field(default=None, validation_alias="REELFLOW_S3_ENDPOINT")
    clips: Path = Field(
        default_factory=lambda: Path.cwd() / ".reelflow" / "clips", validation_alias="REELFLOW_CLIPS"
    )
    kfp_host: str | None = Field(default=None, validation_alias="REELFLOW_KFP_HOST")
    kfp_token: SecretStr | None = Field(default=None, validation_alias="REELFLOW_KFP_TOKEN")
    kfp_token_file: Path | None = Field(default=None, validation_alias="REELFLOW_KFP_TOKEN_FILE")
    spool: Path = Field(
        default_factory=lambda: Path.cwd() / ".reelflow" / "spool", validation_alias="REELFLOW_SPOOL"
    )
    patience_s: float = Field(default=0, ge=0, validation_alias="REELFLOW_PATIENCE_S")
    trainjob: str = Field(default="", validation_alias="REELFLOW_TRAINJOB")
    pod_name: str = Field(default="", validation_alias="REELFLOW_POD_NAME")
    pod_uid: str = Field(default="", validation_alias="REELFLOW_POD_UID")
    pod_namespace: str = Field(default="", validation_alias="REELFLOW_POD_NAMESPACE")
    revision: str = Field(default="", validation_alias="REELFLOW_REVISION")
    webhook: SecretStr | None = Field(default=None, validation_alias="REELFLOW_WEBHOOK")
    weights_mirror: str | None = Field(default=None, validation_alias="REELFLOW_WEIGHTS_MIRROR")
    weights_cache: Path = Field(
        default_factory=lambda: _home() / ".cache" / "reelflow" / "weights",
        validation_alias="REELFLOW_WEIGHTS_CACHE",
    )

    @field_validator("tracking_uri")
    @classmethod
    def _is_plain(cls, uri: str) -> str:
        """The address without the line break of a secret, and its scheme as MLflow writes it."""
        plain = SCHEME.sub(lambda found: found[0].lower(), uri.strip(), count=1)
        plain = re.sub(r"^sqlite\+pysqlite(?=:)", "sqlite", plain)  # sqlalchemy's long form of the same
        return plain or sqlite_uri(Path.cwd() / "mlflow.db")

    @model_validator(mode="wrap")
    @classmethod
    def _is_readable(cls, values: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Raise ParamsError for a variable that cannot be read."""
        try:
            return read(_without_id_of_a_named(values))
        except ValidationError as error:
            problem = error.errors()[0]
            raise ParamsError(
                f"the environment variable {problem['loc'][0]}: found {problem['input']!r}: "
                f"{problem['msg']}; correct or unset it"
            ) from None

    def variables(self) -> dict[str, str]:
        """The environment variables that give another process these settings, without secrets."""
        known = type(self).model_fields.items()
        given = [(name, field) for name, field in known if name != "experiment" or not self.experiment_id]
        return {
            str(field.validation_alias): str(value)
            for name, field in given
            if (value := getattr(self, name)) not in (None, "") and not isinstance(value, SecretStr)
        }
