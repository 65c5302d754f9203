"""The training pipeline: clips in, a verified and released bundle out.

Backbones and heads are unrolled from the params into named tasks when the pipeline is built.
Floors and trainings hold out the same clips, by the protocol that the evaluation section names.
Evaluations form a chain: each carries along those before it, so that conversion gets all of them
through one artifact (docs/adr/0002-evaluations-form-a-chain.md).
"""

from collections.abc import Callable
from typing import Any

from kfp import compiler, dsl

from components.conversion.component import conversion
from components.dataset.component import dataset
from components.evaluation.component import evaluation
from components.features.component import features
from components.floors.component import floors
from components.frames.component import frames
from components.release.component import release
from components.training.component import training
from reelflow.params import Params


def pairs(params: Params) -> list[tuple[str, str]]:
    """Every (backbone, head) that is trained."""
    return [(backbone, head) for backbone in params.features.backbones for head in params.training.heads]


def task_names(params: Params) -> list[str]:
    """What the tasks are called, in the order in which they are built."""
    names = [f"{backbone}-{head}" for backbone, head in pairs(params)]
    return [
        "dataset",
        "frames",
        "floors",
        *(f"features {backbone}" for backbone in params.features.backbones),
        *(f"training {name}" for name in names),
        *(f"evaluation {name}" for name in names),
        "conversion",
        "release",
    ]


def build(params: Params) -> Any:
    """The KFP pipeline for these params."""

    @dsl.pipeline(name="reelflow-training", description="Clips in, a verified TFLite classifier out")  # type: ignore[untyped-decorator]
    def pipeline() -> None:
        data = _named(dataset, "dataset", params.dataset, source=params.dataset.source).output
        stills = _named(frames, "frames", params.frames, dataset=data).output
        least = _named(
            floors,
            "floors",
            params.floors,
            protocol=params.evaluation.protocol,
            dataset=data,
            frames=stills,
        ).output
        embedded = {
            backbone: _named(
                features,
                f"features {backbone}",
                params.features.narrowed_to(backbone),
                backbone=backbone,
                dataset=data,
                frames=stills,
            ).output
            for backbone in params.features.backbones
        }
        last = _train_and_evaluate(params, data, least, embedded)
        common = {"dataset": data, "frames": stills, "evaluations": last}
        best = _named(
            conversion,
            "conversion",
            params.conversion,
            weights=params.features.weights,
            seed=str(params.features.seed),
            **common,
        )
        _named(release, "release", params.release, bundle=best.output, **common).set_caching_options(False)

    return pipeline


def _train_and_evaluate(params: Params, data: Any, least: Any, embedded: dict[str, Any]) -> Any:
    """Unroll trainings and the chain of evaluations; returns the chain's end."""
    last: dict[str, Any] = {}
    for backbone, head in pairs(params):
        name = f"{backbone}-{head}"
        inputs = {"dataset": data, "features": embedded[backbone]}
        section = params.training.narrowed_to(head)
        how = {"head": head, "protocol": params.evaluation.protocol}
        model = _named(training, f"training {name}", section, **how, **inputs).output
        inputs |= {"model": model, "floors": least}
        task = _named(evaluation, f"evaluation {name}", params.evaluation, **inputs, **last)
        last = {"previous": task.output}
    return last["previous"]


def _named(component: Callable[..., Any], name: str, section: Any, **arguments: Any) -> Any:
    task = component(params=section.model_dump_json(), **arguments)
    task.set_display_name(name)
    task.set_env_variable("REELFLOW_TASK", name)
    return task


def compile_to(params: Params, path: str) -> None:
    """Write the pipeline's IR YAML."""
    compiler.Compiler().compile(build(params), path)
