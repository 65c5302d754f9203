"""Compiled pipelines, as a cluster takes them: one object of Argo's, of bounded size."""

import json
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from kfp import compiler

from pipelines.cluster.config import ClusterConfig
from pipelines.cluster.graph import build_for_cluster
from pipelines.training import build
from reelflow.errors import ParamsError
from reelflow.files import write_text
from reelflow.params import Params

SUFFIX = ".yaml"  # KFP takes no other
MAX_WORKFLOW_BYTES = 1024 * 1024
"""MAX_WORKFLOW_SIZE of Argo (workflow/packer/packer.go). The nodes of a larger one are compressed; one that
is too large even so is ended. etcd's own limit is 1.5 MB."""
FIXED_BYTES, TASK_BYTES = 13_000, 1_700
"""Templates of KFP 2.17's compiler beyond the texts of the pipeline: of a workflow, and of a task."""
NODES_BYTES = 4_000
"""Compressed status of a task's nodes when it has ended, twice as much as modelled."""


def compile_to(
    params: Params,
    path: Path | str,
    cluster: ClusterConfig | None = None,
    *,
    always: bool = True,
    cached: bool = True,
) -> None:
    """Write a pipeline's IR YAML, followed by its Kubernetes configuration.

    Args:
        params: all values.
        path: of the file.
        cluster: where and how tasks run; the bare steps without.
        always: run even if a finished run has done the same work; on a cluster alone.
        cached: whether KFP's cache may answer for tasks; on a cluster alone.

    Raises:
        ParamsError: the file is not called .yaml, an image is missing, or the pipeline has more tasks than a
            cluster can hold.
        StorageError: the disk is full or read-only, or the path leads nowhere.
    """
    if Path(path).suffix != SUFFIX:
        raise ParamsError(f"{str(path)!r} does not end with {SUFFIX}, as KFP expects of a pipeline's file")
    pipeline = build_for_cluster(params, cluster, always=always, cached=cached) if cluster else build(params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kfp's own
        with TemporaryDirectory() as folder:
            package = Path(folder, "package.yaml")
            compiler.Compiler().compile(pipeline, str(package))
            if cluster:
                check_size(package, cluster)
            write_text(Path(path), package.read_text(encoding="utf-8"))


def check_size(package: Path, cluster: ClusterConfig) -> None:
    """Check that the workflow of a package fits into one object of the cluster.

    Raises:
        ParamsError: it does not.
    """
    size, tasks = workflow_bytes(package)
    if size > MAX_WORKFLOW_BYTES:
        package.unlink()
        raise ParamsError(
            f"the workflow would have {tasks} tasks and about {size / 1e6:.1f} MB, and Argo ends workflows "
            f"of more than {MAX_WORKFLOW_BYTES / 1e6:.1f} MB: choose fewer features.backbones or "
            f"training.heads, or in the cluster file a smaller fan_out than {cluster.fan_out}"
        )


def workflow_bytes(package: Path) -> tuple[int, int]:
    """The size of Argo's object when the run has ended, about, and the number of tasks.

    KFP's compiler (backend/src/v2/compiler/argocompiler) keeps each component, its container and its
    configuration of Kubernetes as JSON in a parameter, and each task as JSON in a template.
    """
    ir, platform = yaml.load_all(package.read_text(), yaml.CSafeLoader)
    kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors = ir["deploymentSpec"]["executors"]
    graphs = [component["dag"]["tasks"] for component in ir["components"].values() if "dag" in component]
    containers = [executor["container"] for executor in executors.values()]
    texts = [*ir["components"].values(), *containers, *kubernetes.values(), *graphs]
    tasks = len(executors)
    return sum(map(_json_in_json, texts)) + FIXED_BYTES + tasks * (TASK_BYTES + NODES_BYTES), tasks


def _json_in_json(value: Any) -> int:
    return len(json.dumps(json.dumps(value, separators=(",", ":"))))
