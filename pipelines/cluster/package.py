"""Compiled pipelines, as a cluster takes them."""

import warnings
from pathlib import Path

from kfp import compiler

from pipelines.cluster.config import ClusterConfig
from pipelines.cluster.graph import build_for_cluster
from pipelines.training import build
from reelflow.params import Params


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
        ParamsError: an image is missing.
    """
    pipeline = build_for_cluster(params, cluster, always=always, cached=cached) if cluster else build(params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # kfp's own
        compiler.Compiler().compile(pipeline, str(path))
