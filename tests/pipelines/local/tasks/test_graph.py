"""Tasks as they are read from a compiled pipeline."""

from pathlib import Path

import pytest

from pipelines.local.tasks.graph import TaskSpec, executor_input, tasks_of
from pipelines.training import build, set_variables, task_names
from reelflow.params import Params, TrainingParams, load_params


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(Path("params.yaml"))


@pytest.fixture(scope="module")
def tasks(params) -> dict[str, TaskSpec]:
    return tasks_of(build(params, lambda task, name: set_variables(task, {"FOR": name})))


def test_every_task_is_there_with_its_step_and_its_variables(params, tasks):
    assert sorted(task.title for task in tasks.values()) == sorted(task_names(params))
    for task in tasks.values():
        assert task.step == task.title.split()[0]
        assert task.variables["FOR"] == task.variables["REELFLOW_TASK"] == task.title


def test_a_task_comes_after_all_that_it_reads(tasks):
    for task in tasks.values():
        assert {maker for maker, _ in task.inputs.values()} <= task.after
        for maker, output in task.inputs.values():
            assert output in tasks[maker].outputs
    (release,) = (task for task in tasks.values() if task.step == "release")
    assert release.after >= {name for name, task in tasks.items() if task.step == "evaluation"}


def test_the_executor_is_told_values_and_places(params, tasks, tmp_path):
    (task, *_) = (task for task in tasks.values() if task.step == "training")
    told = executor_input(task, tasks, tmp_path)
    values = told["inputs"]["parameterValues"]
    found = TrainingParams.model_validate_json(values["params"])
    assert found == params.training.narrowed_to(values["head"])
    (features,) = told["inputs"]["artifacts"]["features"]["artifacts"]
    maker, output = task.inputs["features"]
    assert features["uri"] == str(tmp_path / maker / output)
    assert told["outputs"]["artifacts"]["model"]["artifacts"][0]["type"]["schemaTitle"] == "system.Model"
