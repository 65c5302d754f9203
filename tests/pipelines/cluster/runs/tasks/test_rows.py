"""One row a task, from what a real server has told of runs that ended in every way."""

import yaml
from kfp_server_api import ApiClient, Configuration, V2beta1Run

from pipelines.cluster.runs.model import ClusterTask
from pipelines.cluster.runs.tasks.rows import rows
from pipelines.cluster.runs.tasks.spec import tasks_of
from pipelines.cluster.submit import package
from pipelines.training import task_names
from reelflow.params import load_params
from tests.cluster_files import cluster_with_images
from tests.fake_kfp.inputs import recording
from tests.pipelines.cluster.runs.specs import FANNED, WHOLE
from tests.workplace import ROOT


class Answer:
    """What the generated client deserializes."""

    def __init__(self, document):
        import json

        self.data = json.dumps(document)


def of(number: int, spec=WHOLE) -> tuple[ClusterTask, ...]:
    """The rows of a recorded run."""
    found: V2beta1Run = ApiClient(Configuration()).deserialize(
        Answer(recording(number)["response"]), "V2beta1Run"
    )
    return rows(found.run_details.task_details, tasks_of(spec) if spec else [], found.state)


def test_a_run_that_ran_whole_has_a_row_for_each_task_by_its_own_name():
    found = of(2)
    assert [(task.name, task.attempts) for task in found] == [
        ("check", 1),
        ("dataset", 1),
        ("frames", 1),
        ("floors", 1),
        ("features thumbnail", 1),
        ("training thumbnail-single_frame", 1),
        ("training thumbnail-gru", 1),
        ("training thumbnail-lstm", 1),
        ("evaluation thumbnail-gru", 1),
        ("evaluation thumbnail-lstm", 1),
        ("evaluation thumbnail-single_frame", 1),
        ("conversion", 1),
        ("release", 1),
        ("outcome", 1),
    ]
    assert {task.state for task in found} == {"SUCCEEDED"}
    assert not any(task.cached for task in found)
    assert found[1].duration_s == 64


def test_cached_tasks_have_no_pod():
    found = of(3)
    assert len(found) == 14
    assert [task.name for task in found if not task.cached] == ["check", "release", "outcome"]
    assert {task.attempts for task in found if task.cached} == {0}


def test_a_terminated_run_failed_where_it_was_and_its_exit_handler_ran():
    found = {task.name: task for task in of(4)}
    assert (found["check"].state, found["outcome"].state) == ("FAILED", "SUCCEEDED")
    assert {task.state for name, task in found.items() if name not in ("check", "outcome")} == {"NOT RUN"}


def test_what_comes_after_a_failure_is_not_run():
    found = {task.name: (task.state, task.attempts) for task in of(5)}
    assert found["check"] == ("FAILED", 1)
    assert found["dataset"] == ("NOT RUN", None)


def test_tasks_of_parts_bear_their_parts_and_a_late_failure_its_task():
    found = of(6, FANNED)
    assert len(found) == 14
    assert [task.name for task in found if task.failed] == ["conversion", "outcome"]
    assert {"frames 1/2", "frames 2/2", "frames", "features thumbnail 2/2"} < {t.name for t in found}
    assert next(task.state for task in found if task.name == "release") == "NOT RUN"


def test_a_run_at_work_has_tasks_that_wait():
    found = {task.name: task for task in of(7)}
    assert (found["check"].state, found["check"].attempts) == ("RUNNING", 1)
    assert found["check"].duration_s > 0
    assert {task.state for name, task in found.items() if name != "check"} == {"PENDING"}


def test_without_a_spec_tasks_have_kfp_s_names():
    names = [task.name for task in of(3, None)]
    assert len(names) == 14
    assert {"check", "training-3", "outcome"} < set(names)


def test_a_compiled_pipeline_names_its_tasks(tmp_path):
    params = load_params(ROOT / "params.yaml")
    spec, _ = yaml.safe_load_all(package(params, cluster_with_images(tmp_path), always=True))
    found = tasks_of(spec)
    assert {task.name for task in found} == {"check", *task_names(params), "outcome"}
    assert [task.path for task in found if task.name == "outcome"] == [("exit-handler-1.onExit", "outcome")]
    assert found[0].path == ("exit-handler-1", "check")
