"""A compiled pipeline becomes a run."""

import secrets
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import kfp_server_api as kfp

import reelflow
from pipelines.cluster.api.client import KubeflowClient, named, pages
from pipelines.cluster.config import ClusterConfig, Kfp
from pipelines.cluster.versions import ensure_version
from reelflow.params import Params


def package(params: Params, cluster: ClusterConfig, *, always: bool, cached: bool = True) -> str:
    """The compiled pipeline, as it is uploaded.

    Args:
        params: what runs.
        cluster: how its tasks run.
        always: run to the end even if nothing has changed since the last time.
        cached: whether KFP's cache may answer for tasks.
    """
    from pipelines.cluster.package import compile_to

    with TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compile_to(params, path, cluster, always=always, cached=cached)
        return path.read_text(encoding="utf-8")


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


def _find_run(client: KubeflowClient, wanted: kfp.V2beta1Run) -> str | None:
    """The run that this command has started; another may have the same name."""
    name = wanted.display_name
    purpose, filter_ = f"look for the run {name}", named(name)
    found = pages(purpose, client.list_runs, "runs", experiment_id=wanted.experiment_id, filter=filter_)
    return next((str(one.run_id) for one in found if one.description == wanted.description), None)
