"""The training pipeline as a cluster runs it: a cheap first task, the steps, and an exit handler.

Where other architectures are asked for, the bundle is proven on nodes of them before it is released.
"""

from functools import partial
from typing import Any

from kfp import dsl

from pipelines.cluster.architectures.prover import Prover
from pipelines.cluster.check import check
from pipelines.cluster.config import ClusterConfig
from pipelines.cluster.outcome import outcome
from pipelines.cluster.pods.tasks import TaskConfigurator
from pipelines.training import DESCRIPTION, NAME, CacheVersions, Graph
from reelflow.files import sha256_text
from reelflow.nets.video.design import inflated_from
from reelflow.params import STEPS, Params
from reelflow.provenance.code import code_hash
from reelflow.sources.userinfo import as_link


def build_for_cluster(
    params: Params, cluster: ClusterConfig, *, always: bool = True, cached: bool = True
) -> Any:
    """The KFP pipeline for a cluster.

    Args:
        params: all values.
        cluster: where and how tasks run.
        always: run even if a finished run has done the same work.
        cached: whether KFP's cache may answer for tasks.

    Raises:
        ParamsError: an image is missing.
    """
    configure = TaskConfigurator(params, cluster)
    images = [f"{name} {reference}" for name, reference in sorted(configure.images.items())]
    work = sha256_text("\n".join([params.model_dump_json(), code_hash(*STEPS), *images]))

    @dsl.pipeline(name=NAME, description=DESCRIPTION)  # type: ignore[untyped-decorator]
    def pipeline() -> None:
        exit_task = _configured(outcome(api=cluster.kfp.pods_host), "outcome", configure)
        with dsl.ExitHandler(exit_task, name="run"):
            checked = check(
                source=params.dataset.source,
                weights=params.features.weights,
                teachers=list(params.training.teacher),
                split_lists=params.dataset.list_files,
                inflate=_inflated(params),
                work=work,
                mlflow_ui=as_link(cluster.mlflow.ui),
                always=always,
            )
            found = _configured(checked, "check", configure).outputs
            code = {step: code_hash(step) for step in STEPS}
            versions = CacheVersions(code, found["Output"], found["weights"], found["teachers"])
            with dsl.If(versions.data != "", name="something is new"):
                parts = cluster.parts(params.frames.shards)
                prove = Prover(params, partial(_configured, configure=configure))
                Graph(params, configure, parts, versions, cached, prove).unroll()

    return pipeline


def _inflated(params: Params) -> str:
    """The file of weights that a head starts from; empty if no head has one."""
    video = params.training.video
    return next(filter(None, (inflated_from(head, video) for head in params.training.heads)), "")


def _configured(task: Any, name: str, configure: TaskConfigurator) -> Any:
    task.set_display_name(name).set_env_variable("REELFLOW_TASK", name).set_caching_options(False)
    configure(task, name)
    return task
