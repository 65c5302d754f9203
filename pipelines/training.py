"""The training pipeline: clips in, a verified and released bundle out.

Backbones and heads are unrolled from the params into named tasks when the pipeline is built.
Baselines and trainings hold out the same clips, by the protocol that the evaluation section names.
Conversion and release take each evaluation by an input of its own, so that no task waits for another of
its kind (docs/adr/0002-conversion-takes-every-evaluation.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kfp import dsl

from components.baselines.component import baselines
from components.conversion.component import conversion
from components.dataset.component import dataset
from components.evaluation.component import evaluation
from components.features.component import features
from components.frames.component import frames
from components.release.component import release
from components.training.component import training
from reelflow.backbones.weights import KEYWORDS
from reelflow.nets.candidates import candidates, name_of
from reelflow.nets.video.design import inflated_from
from reelflow.params import Params

NAME = "reelflow-training"
DESCRIPTION = "Clips in, a verified TFLite classifier out"
ConfigureTask = Callable[[Any, str], None]
Prove = Callable[[Any, Any, Any], Mapping[str, Any]]
"""Makes the tasks that prove a bundle elsewhere, of dataset, an evaluation and bundle: inputs of release."""


def unchanged(task: Any, name: str) -> None:
    """Leave a task as it is."""


def unproven(*_: Any) -> Mapping[str, Any]:
    """Leave it to release to prove a bundle."""
    return {}


def set_variables(task: Any, variables: Mapping[str, str]) -> None:
    """Give a task environment variables."""
    for variable, value in variables.items():
        task.set_env_variable(variable, value)


def task_names(params: Params) -> list[str]:
    """What the tasks are called, in the order in which they are built."""
    names = [name_of(*pair) for pair in candidates(params)]
    return [
        "dataset",
        "frames",
        "baselines",
        *(f"features {backbone}" for backbone in params.features.backbones),
        *(f"training {name}" for name in names),
        *(f"evaluation {name}" for name in names),
        "conversion",
        "release",
    ]


def build(params: Params, configure: ConfigureTask = unchanged) -> Any:
    """The KFP pipeline for these params.

    Args:
        params: all values.
        configure: sets image, resources and environment of a task, by its name.
    """

    @dsl.pipeline(name=NAME, description=DESCRIPTION)  # type: ignore[untyped-decorator]
    def pipeline() -> None:
        Graph(params, configure).unroll()

    return pipeline


@dataclass(frozen=True)
class CacheVersions:
    """What a cache must tell apart; a hash, or a task's output that holds one, or "" if there is none.

    Attributes:
        code: of each step.
        data: of the clips.
        weights: of the files of the backbones' weights.
        teachers: of the models to learn from.
    """

    code: Mapping[str, str] = field(default_factory=dict)
    data: Any = ""
    weights: Any = ""
    teachers: Any = ""


@dataclass(frozen=True)
class Graph:
    """The tasks of a run, made within a KFP pipeline.

    Attributes:
        params: all values.
        configure: sets image, resources and environment of a task, by its name.
        fan_out: tasks that frames and features are dealt to. They share shards through an object store,
            where one more task of each step finds them all; nothing is lost if it does not.
        versions: of what tasks read that is neither their params nor another task's output.
        cached: whether a cluster's cache may answer for tasks.
        prove: makes tasks that prove the bundle on other machines.
    """

    params: Params
    configure: ConfigureTask
    fan_out: int = 1
    versions: CacheVersions = CacheVersions()
    cached: bool = True
    prove: Prove = unproven

    def unroll(self) -> None:
        """Make all tasks."""
        params = self.params
        given = {"source": params.dataset.source, "data_version": self.versions.data}
        listed = self._task(dataset, "dataset", params.dataset, **given)
        if params.dataset.split_lists:  # the paths say nothing of the files
            listed.set_caching_options(False)
        data = listed.output
        parts, shared = self._fan_out(data)
        whole = self._task(frames, "frames", params.frames, part="", dataset=data).after(*parts)
        common = {"dataset": data, "frames": whole.output}
        baseline_scores = self._task(
            baselines, "baselines", params.baselines, protocol=params.evaluation.protocol, **common
        ).output
        evaluations = self._train_and_evaluate(data, baseline_scores, self._embed(shared, **common))
        common |= {f"evaluation_{number}": one for number, one in enumerate(evaluations, start=1)}
        features = params.features
        how = {"weights": features.weights, "seed": str(features.seed)}
        bundle = self._task(conversion, "conversion", params.conversion, **how, **common).output
        proofs = self.prove(data, evaluations[0], bundle)
        released = self._task(release, "release", params.release, bundle=bundle, **common, **proofs)
        released.set_caching_options(False)

    def _fan_out(self, data: Any) -> tuple[list[Any], dict[str, list[Any]]]:
        """Make the tasks of parts: those of frames, and those of each backbone's features."""
        count = self.fan_out if self.fan_out > 1 else 0
        parts = [f"{number}/{count}" for number in range(1, count + 1)]
        stills = {
            part: self._task(frames, f"frames {part}", self.params.frames, part=part, dataset=data)
            for part in parts
        }
        if self.params.features.finetune.blocks:  # it learns from all frames
            return list(stills.values()), {}
        return list(stills.values()), {
            backbone: [
                self._features(backbone, part, dataset=data, frames=stills[part].output) for part in parts
            ]
            for backbone in self.params.features.backbones
        }

    def _embed(self, shared: dict[str, list[Any]], **inputs: Any) -> dict[str, Any]:
        """The features of every backbone, after the tasks that share them."""
        return {
            backbone: self._features(backbone, **inputs).after(*shared.get(backbone, [])).output
            for backbone in self.params.features.backbones
        }

    def _features(self, backbone: str, part: str = "", **inputs: Any) -> Any:
        name = f"features {backbone} {part}".strip()
        section = self.params.features.narrowed_to(backbone)
        task = self._task(features, name, section, backbone=backbone, **inputs)
        if (
            section.weights not in KEYWORDS and not self.versions.weights
        ):  # the path says nothing of the files
            task.set_caching_options(False)
        return task

    def _train_and_evaluate(self, data: Any, baseline_scores: Any, embedded: dict[str, Any]) -> list[Any]:
        """Unroll trainings and evaluations; returns the evaluations."""
        params = self.params
        evaluations = []
        for backbone, head in candidates(params):
            name = name_of(backbone, head)
            inputs = {"dataset": data, "features": embedded[backbone]}
            section = params.training.narrowed_to(head)
            how = {"head": head, "protocol": params.evaluation.protocol}
            trained = self._task(training, f"training {name}", section, **how, **inputs)
            moves = section.teacher and not self.versions.teachers  # as an alias does
            if moves or inflated_from(head, section.video):  # the path says nothing of the file
                trained.set_caching_options(False)
            model = trained.output
            inputs |= {"model": model, "baselines": baseline_scores}
            task = self._task(evaluation, f"evaluation {name}", params.evaluation, **inputs)
            evaluations.append(task.outputs["evaluation"])
        return evaluations

    def _key(self, step: str) -> str:
        """What the key of a task in a cache holds beside its params and its inputs."""
        read = {
            "features": self.versions.weights,
            "conversion": self.versions.weights,
            "training": self.versions.teachers,
        }
        return " ".join(str(part) for part in (self.versions.code.get(step), read.get(step)) if part)

    def _task(self, component: Callable[..., Any], name: str, section: Any, **arguments: Any) -> Any:
        task = component(params=section.model_dump_json(), key=self._key(name.split()[0]), **arguments)
        task.set_display_name(name)
        task.set_env_variable("REELFLOW_TASK", name)
        self.configure(task, name)
        if not self.cached:
            task.set_caching_options(False)
        return task
