"""A compiled pipeline becomes a version on the server, and a run of it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import kfp_server_api as kfp

import reelflow
from pipelines.cluster.api import Api, named
from pipelines.cluster.config import ClusterConfig, Kfp
from pipelines.cluster.failures import NOT_FOUND, ApiError
from reelflow.params import Params

NAME_LENGTH = 12  # letters of the package's sha256 that name its version


@dataclass(frozen=True)
class Version:
    """A pipeline's version on the server."""

    pipeline_id: str
    version_id: str
    name: str

    def reference(self) -> Any:
        """How runs name it."""
        return kfp.V2beta1PipelineVersionReference(
            pipeline_id=self.pipeline_id, pipeline_version_id=self.version_id
        )


def package(params: Params, cluster: ClusterConfig, *, always: bool) -> str:
    """The compiled pipeline, as it is uploaded.

    Args:
        params: what runs.
        cluster: how its tasks run.
        always: run to the end even if nothing has changed since the last time.
    """
    from pipelines.cluster.package import compile_to

    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compile_to(params, path, cluster, always=always)
        return path.read_text(encoding="utf-8")


def version_name(text: str) -> str:
    """What a package's version is called: after its content, so that it is uploaded once."""
    return hashlib.sha256(text.encode()).hexdigest()[:NAME_LENGTH]


def find_version(api: Api, pipeline: str, text: str) -> Version | None:
    """The version with this content, if it has been uploaded.

    Raises:
        ApiError: the server refused or did not answer.
    """
    pipeline_id = _find_pipeline(api, pipeline)
    return _find_version(api, pipeline_id, version_name(text)) if pipeline_id else None


def ensure_version(api: Api, pipeline: str, text: str) -> Version:
    """The version with this content, uploaded if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    pipeline_id = api.ensure(lambda: _find_pipeline(api, pipeline), lambda: _create_pipeline(api, pipeline))
    name = version_name(text)
    return api.ensure(
        lambda: _find_version(api, pipeline_id, name), lambda: _upload(api, pipeline_id, name, text)
    )


def find_experiment(api: Api, name: str) -> str | None:
    """The id of the experiment, if there is one.

    Raises:
        ApiError: the server refused or did not answer.
    """
    ask = api.experiments.experiment_service_list_experiments
    doing = f"look for the experiment {name}"
    found = api.pages(doing, ask, "experiments", filter=named(name), **_within(api))
    return next((e.experiment_id for e in found if e.display_name == name), None)


def ensure_experiment(api: Api, name: str) -> str:
    """The id of the experiment, created if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    body = kfp.V2beta1Experiment(display_name=name, namespace=api.namespace)
    ask = api.experiments.experiment_service_create_experiment
    doing = f"create the experiment {name}"
    return api.ensure(
        lambda: find_experiment(api, name),
        lambda: str(api.once(doing, ask, experiment=body).experiment_id),
    )


def submit(api: Api, config: Kfp, text: str, name: str = "") -> str:
    """Start a run of a package.

    Args:
        api: where.
        config: the experiment, the pipeline's name and the service account.
        text: the package.
        name: of the run; by default the pipeline's and the time.

    Returns:
        the id of the run.

    Raises:
        ApiError: the server refused or did not answer.
    """
    version = ensure_version(api, config.pipeline, text)
    experiment_id = ensure_experiment(api, config.experiment)
    started = datetime.now(UTC)
    body = kfp.V2beta1Run(
        display_name=name or f"{config.pipeline} {started:%Y-%m-%d %H:%M:%S}",
        description=f"submitted by reelflow {reelflow.__version__} [{secrets.token_hex(4)}]",
        experiment_id=experiment_id,
        pipeline_version_reference=version.reference(),
        runtime_config=kfp.V2beta1RuntimeConfig(parameters={}),
        service_account=config.service_account,
    )
    ask = api.runs.run_service_create_run
    return api.ensure(
        lambda: _find_run(api, body),
        lambda: str(api.once(f"start the run {body.display_name}", ask, run=body).run_id),
    )


def run_link(host: str, run_id: str) -> str:
    """Where the KFP UI shows a run."""
    return f"{host}/#/runs/details/{run_id}"


def _find_pipeline(api: Api, name: str) -> str | None:
    ask = api.pipelines.pipeline_service_get_pipeline_by_name
    try:
        found = api.call(f"look for the pipeline {name}", ask, name=name, **_within(api))
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return str(found.pipeline_id)


def _create_pipeline(api: Api, name: str) -> str:
    body = kfp.V2beta1Pipeline(display_name=name, name=name, namespace=api.namespace)
    ask = api.pipelines.pipeline_service_create_pipeline
    return str(api.once(f"create the pipeline {name}", ask, pipeline=body).pipeline_id)


def _find_version(api: Api, pipeline_id: str, name: str) -> Version | None:
    found = api.pages(
        f"look for the version {name}",
        api.pipelines.pipeline_service_list_pipeline_versions,
        "pipeline_versions",
        pipeline_id=pipeline_id,
        filter=named(name),
    )
    ids = (v.pipeline_version_id for v in found if v.display_name == name)
    return next((Version(pipeline_id, version_id, name) for version_id in ids), None)


def _upload(api: Api, pipeline_id: str, name: str, text: str) -> Version:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        path.write_text(text, encoding="utf-8")
        answer = api.once(
            f"upload the version {name}",
            api.uploads.upload_pipeline_version,
            uploadfile=str(path),
            name=name,
            pipelineid=pipeline_id,
            description=f"by reelflow {reelflow.__version__}",
        )
    return Version(pipeline_id, str(answer.pipeline_version_id), name)


def _find_run(api: Api, wanted: Any) -> str | None:
    """The run that this very command has started; another may have the same name."""
    found = api.pages(
        f"look for the run {wanted.display_name}",
        api.runs.run_service_list_runs,
        "runs",
        experiment_id=wanted.experiment_id,
        filter=named(wanted.display_name),
        **_within(api),
    )
    return next((str(r.run_id) for r in found if r.description == wanted.description), None)


def _within(api: Api) -> dict[str, str]:
    return {"namespace": api.namespace} if api.namespace else {}
