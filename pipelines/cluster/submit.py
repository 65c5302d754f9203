"""A compiled pipeline becomes a version on the server, and a run of it."""

import hashlib
import secrets
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import kfp_server_api as kfp
from kfp_server_api import V2beta1PipelineVersionReference as VersionReference

import reelflow
from pipelines.cluster.api.client import KubeflowClient, named, pages
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing
from pipelines.cluster.config import ClusterConfig, Kfp
from reelflow.params import Params

VERSION_LETTERS = 12  # of the package's sha256


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
    """The name of a package's version: a hash of its content, so that it is uploaded once."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LETTERS]


def find_version(client: KubeflowClient, pipeline: str, text: str) -> VersionReference | None:
    """The version with this content, if it has been uploaded.

    Raises:
        ApiError: the server refused or did not answer.
    """
    pipeline_id = _find_pipeline(client, pipeline)
    return _find_version(client, pipeline_id, version_name(text)) if pipeline_id else None


def ensure_version(client: KubeflowClient, pipeline: str, text: str) -> VersionReference:
    """The version with this content, uploaded if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    pipeline_id = client.write(
        f"create the pipeline {pipeline}",
        lambda: _create_pipeline(client, pipeline),
        lambda: _find_pipeline(client, pipeline),
    )
    name = version_name(text)
    return client.write(
        f"upload the version {name}",
        lambda: _upload(client, pipeline_id, name, text),
        lambda: _find_version(client, pipeline_id, name),
    )


def find_experiment(client: KubeflowClient, name: str) -> str | None:
    """The id of the experiment, if there is one.

    Raises:
        ApiError: the server refused or did not answer.
    """
    purpose = f"look for the experiment {name}"
    found = pages(purpose, client.list_experiments, "experiments", filter=named(name))
    return next((str(one.experiment_id) for one in found if one.display_name == name), None)


def ensure_experiment(client: KubeflowClient, name: str) -> str:
    """The id of the experiment, created if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    body = kfp.V2beta1Experiment(display_name=name, namespace=client.namespace)
    create = client.experiments.experiment_service_create_experiment
    return client.write(
        f"create the experiment {name}",
        lambda: str(create(experiment=body).experiment_id),
        lambda: find_experiment(client, name),
    )


def submit(client: KubeflowClient, config: Kfp, text: str, name: str = "") -> str:
    """Start a run of a package.

    Args:
        client: of the server.
        config: the experiment, the pipeline's name and the service account.
        text: the package.
        name: of the run; by default the pipeline's and the time.

    Returns:
        the id of the run.

    Raises:
        ApiError: the server refused or did not answer.
    """
    body = kfp.V2beta1Run(
        display_name=name or f"{config.pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}",
        description=f"submitted by reelflow {reelflow.__version__} [{secrets.token_hex(4)}]",
        pipeline_version_reference=ensure_version(client, config.pipeline, text),
        experiment_id=ensure_experiment(client, config.experiment),
        runtime_config=kfp.V2beta1RuntimeConfig(parameters={}),
        service_account=config.service_account,
    )
    return client.write(
        f"start the run {body.display_name}",
        lambda: str(client.runs.run_service_create_run(run=body).run_id),
        lambda: _find_run(client, body),
    )


def run_link(host: str, run_id: str) -> str:
    """Where the KFP UI shows a run."""
    return f"{host}/#/runs/details/{run_id}"


def _find_pipeline(client: KubeflowClient, name: str) -> str | None:
    scope = {"namespace": client.namespace} if client.namespace else {}
    try:
        with doing(f"look for the pipeline {name}"):
            found = client.pipelines.pipeline_service_get_pipeline_by_name(name=name, **scope)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return str(found.pipeline_id)


def _create_pipeline(client: KubeflowClient, name: str) -> str:
    body = kfp.V2beta1Pipeline(display_name=name, name=name, namespace=client.namespace)
    return str(client.pipelines.pipeline_service_create_pipeline(pipeline=body).pipeline_id)


def _find_version(client: KubeflowClient, pipeline_id: str, name: str) -> VersionReference | None:
    found = pages(
        f"look for the version {name}",
        client.list_pipeline_versions,
        "pipeline_versions",
        pipeline_id=pipeline_id,
        filter=named(name),
    )
    ids = (one.pipeline_version_id for one in found if one.display_name == name)
    return next((VersionReference(pipeline_id, version_id) for version_id in ids), None)


def _upload(client: KubeflowClient, pipeline_id: str, name: str, text: str) -> VersionReference:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        path.write_text(text, encoding="utf-8")
        made = client.pipeline_uploads.upload_pipeline_version(
            uploadfile=str(path),
            name=name,
            pipelineid=pipeline_id,
            description=f"by reelflow {reelflow.__version__}",
        )
    return VersionReference(pipeline_id, made.pipeline_version_id)


def _find_run(client: KubeflowClient, wanted: kfp.V2beta1Run) -> str | None:
    """The run that this command has started; another may have the same name."""
    name = wanted.display_name
    purpose, filter_ = f"look for the run {name}", named(name)
    found = pages(purpose, client.list_runs, "runs", experiment_id=wanted.experiment_id, filter=filter_)
    return next((str(one.run_id) for one in found if one.description == wanted.description), None)
