"""Pipelines on the server, and their versions."""

import hashlib
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import kfp_server_api as kfp
from kfp_server_api import V2beta1PipelineVersionReference as VersionReference

import reelflow
from pipelines.cluster.api.client import KubeflowClient, named, pages
from pipelines.cluster.api.errors import NOT_FOUND, ApiError, doing

VERSION_LETTERS = 12  # of the package's sha256


@dataclass(frozen=True)
class PipelineName:
    """A pipeline's name in the API, and the one that people read."""

    name: str
    displayed: str


def version_name(text: str) -> str:
    """The name of a package's version: a hash of its content, so that it is uploaded once."""
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_LETTERS]


def ensure_version(client: KubeflowClient, pipeline: str, text: str) -> VersionReference:
    """The version with this content, uploaded if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    pipeline_id = ensure_pipeline(client, PipelineName(pipeline, pipeline))
    return _write(client, pipeline_id, version_name(text), text)


def is_newest(client: KubeflowClient, pipeline_id: str, text: str) -> bool:
    """Whether a pipeline's newest version, which a recurring run starts, has this content.

    Raises:
        ApiError: the server refused or did not answer.
    """
    with doing(f"look for the newest version of the pipeline {pipeline_id}"):
        found = client.list_pipeline_versions(pipeline_id, page_size=1, sort_by="created_at desc")
    newest = next(iter(found.pipeline_versions or ()), None)
    return newest is not None and str(newest.name).partition("-")[0] == version_name(text)


def upload_newest(client: KubeflowClient, pipeline_id: str, text: str) -> None:
    """Make this content the newest version, under a further name if an older version has it too.

    Raises:
        ApiError: the server refused or did not answer.
    """
    _write(client, pipeline_id, _free_name(client, pipeline_id, version_name(text)), text)


def find_pipeline(client: KubeflowClient, name: str) -> str | None:
    """The id of a pipeline, if there is one.

    Raises:
        ApiError: the server refused or did not answer.
    """
    scope = {"namespace": client.namespace} if client.namespace else {}
    try:
        with doing(f"look for the pipeline {name}"):
            found = client.pipelines.pipeline_service_get_pipeline_by_name(name=name, **scope)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return str(found.pipeline_id)


def ensure_pipeline(client: KubeflowClient, pipeline: PipelineName) -> str:
    """The id of a pipeline, created without a version if it is new.

    Raises:
        ApiError: the server refused or did not answer.
    """
    body = kfp.V2beta1Pipeline(
        display_name=pipeline.displayed, name=pipeline.name, namespace=client.namespace
    )
    create = client.pipelines.pipeline_service_create_pipeline
    return client.write(
        f"create the pipeline {pipeline.name}",
        lambda: str(create(pipeline=body).pipeline_id),
        lambda: find_pipeline(client, pipeline.name),
    )


def _free_name(client: KubeflowClient, pipeline_id: str, name: str) -> str:
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(one for one in names if _find_version(client, pipeline_id, one) is None)


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


def _write(client: KubeflowClient, pipeline_id: str, name: str, text: str) -> VersionReference:
    """Upload a version; one of this name that a lost answer has made is taken."""
    return client.write(
        f"upload the version {name}",
        lambda: _upload(client, pipeline_id, name, text),
        lambda: _find_version(client, pipeline_id, name),
    )


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
