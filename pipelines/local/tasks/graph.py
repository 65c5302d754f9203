"""The tasks of a compiled KFP pipeline, read from its specification.

The fields are those of `PipelineSpec` and `ExecutorInput` in kubeflow/pipelines,
api/v2alpha1/pipeline_spec.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OUTPUT_FILE = "executor_output.json"


@dataclass(frozen=True)
class TaskSpec:
    """One task.

    Attributes:
        name: within the pipeline, as `training-2`.
        title: what people call it, as `training thumbnail-gru`.
        step: the component.
        parameters: of the component, by name.
        inputs: the task and the output that each artifact comes from.
        outputs: the schema of each artifact that it makes.
        after: names of the tasks that must have ended.
        variables: of its environment.
    """

    name: str
    title: str
    step: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, tuple[str, str]]
    outputs: Mapping[str, str]
    after: frozenset[str]
    variables: Mapping[str, str]


def tasks_of(pipeline: Any) -> dict[str, TaskSpec]:
    """The tasks of a KFP pipeline by name."""
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    spec = MessageToDict(pipeline.pipeline_spec)
    return {name: _task(name, found, spec) for name, found in spec["root"]["dag"]["tasks"].items()}


def _task(name: str, found: dict[str, Any], spec: dict[str, Any]) -> TaskSpec:
    component = spec["components"][found["componentRef"]["name"]]
    container = spec["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
    given = found.get("inputs", {})
    made = component.get("outputDefinitions", {}).get("artifacts", {})
    sources = {key: value["taskOutputArtifact"] for key, value in given.get("artifacts", {}).items()}
    return TaskSpec(
        name=name,
        title=found["taskInfo"]["name"],
        step=found["taskInfo"]["name"].split()[0],
        parameters={
            key: value["runtimeValue"]["constant"] for key, value in given.get("parameters", {}).items()
        },
        inputs={key: (one["producerTask"], one["outputArtifactKey"]) for key, one in sources.items()},
        outputs={key: value["artifactType"]["schemaTitle"] for key, value in made.items()},
        after=frozenset(found.get("dependentTasks", ())),
        variables={one["name"]: one["value"] for one in container.get("env", ())},
    )


def executor_input(task: TaskSpec, tasks: Mapping[str, TaskSpec], root: Path) -> dict[str, Any]:
    """What KFP's executor is told: parameters, and where artifacts lie, `root/task/output`."""

    def artifact(maker: TaskSpec, output: str) -> dict[str, Any]:
        uri = str(root / maker.name / output)
        schema = {"schemaTitle": maker.outputs[output]}
        return {"artifacts": [{"name": output, "uri": uri, "type": schema, "metadata": {}}]}

    return {
        "inputs": {
            "parameterValues": dict(task.parameters),
            "artifacts": {key: artifact(tasks[name], output) for key, (name, output) in task.inputs.items()},
        },
        "outputs": {
            "artifacts": {output: artifact(task, output) for output in task.outputs},
            "outputFile": str(root / task.name / OUTPUT_FILE),
        },
    }
