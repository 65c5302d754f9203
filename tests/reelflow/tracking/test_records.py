import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reelflow.errors import BundleError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.records import finish_run, prepare, record_folder, record_inputs
from reelflow.tracking.runs import experiment as experiment_module
from reelflow.tracking.runs.values import flatten
from reelflow.tracking.tracker import RUN_TAG, Tracker
from tests.fake_reports import (
    HASH,
    PARAMS,
    baselines_report,
    bundle_report,
    dataset_report,
    evaluation_report,
    release_report,
    save_step,
    training_report,
)
from tests.slowly import slow

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def database(empty_database, tmp_path_factory) -> str:
    """One database for all tests of the file."""
    return f"sqlite:///{shutil.copy(empty_database, tmp_path_factory.mktemp('mlflow'))}"


@pytest.fixture
def settings(database, request) -> Settings:
    return Settings(tracking_uri=database, experiment=request.node.name, run_name="night run")


def client(settings: Settings):
    return mlflow_client.connect(settings)[0]


def runs(settings: Settings) -> dict[str, list]:
    """All runs of the experiment by name, oldest first."""
    mlflow, experiment = mlflow_client.connect(settings)
    found: dict[str, list] = {}
    for run in mlflow.search_runs([experiment], order_by=["attributes.start_time ASC"]):
        found.setdefault(run.info.run_name, []).append(run)
    return found


def one(settings: Settings, name: str):
    (run,) = runs(settings)[name]
    return run


def history(settings: Settings, run_id: str, metric: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in client(settings).get_metric_history(run_id, metric)]


def training_folder(folder: Path, learning_rate: float = 0.001) -> Path:
    params = PARAMS.training.model_copy(update={"learning_rate": learning_rate})
    save_step(folder, training_report(), "training", params, {"head": "gru"})
    (folder / "model.keras").write_bytes(b"model")
    return folder


def files(settings: Settings, run_id: str, folder: str) -> set[str]:
    return {file.path for file in client(settings).list_artifacts(run_id, folder)}


def test_a_whole_run_is_a_parent_with_a_child_for_each_classifier(settings, tmp_path):
    prepare(settings)
    record_folder(settings, save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset))
    options = {"protocol": "group_kfold(5)"}  # names in MLflow hold no brackets, values do
    record_folder(
        settings, save_step(tmp_path / "l", baselines_report(), "baselines", PARAMS.baselines, options)
    )
    record_folder(settings, training_folder(tmp_path / "t"))
    evaluation = save_step(tmp_path / "e", evaluation_report(), "evaluation", PARAMS.evaluation)
    (evaluation / "curves.png").write_bytes(b"png")
    record_folder(settings, evaluation)
    bundle = save_step(tmp_path / "b", bundle_report(), "conversion", PARAMS.conversion)
    (bundle / "head.tflite").write_bytes(b"head")
    record_folder(settings, bundle)
    record_folder(settings, save_step(tmp_path / "r", release_report(), "release", PARAMS.release))

    assert set(runs(settings)) == {"night run", "thumbnail-gru"}
    parent, child = one(settings, "night run"), one(settings, "thumbnail-gru")
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert parent.data.params["dataset.split"] == "group"
    assert parent.data.metrics["dataset.clips"] == 20
    assert parent.data.metrics["baselines.metadata_accuracy"] == 0.5
    assert parent.data.params["baselines.protocol"] == "group_kfold(5)"
    assert parent.data.tags["reelflow.data_hash"] == HASH
    assert parent.data.tags["reelflow.chosen"] == "thumbnail-gru"
    assert parent.data.metrics["accuracy"] == 0.8
    assert child.data.params["training.learning_rate"] == "0.001"
    assert child.data.params["training.head"] == "gru"
    assert child.data.metrics["accuracy"] == 0.8
    assert files(settings, child.info.run_id, "bundle") >= {"bundle/bundle.json", "bundle/head.tflite"}
    assert files(settings, child.info.run_id, "model") == {"model/model.keras", "model/training.json"}
    assert files(settings, child.info.run_id, "figures/evaluation") == {"figures/evaluation/curves.png"}
    assert {parent.info.status, child.info.status} == {"FINISHED"}


def test_a_run_whose_tasks_come_from_a_cache_shows_their_results_and_where_they_came_from(settings, tmp_path):
    training = training_folder(tmp_path / "t")
    evaluations = tmp_path / "evaluations"
    own = save_step(evaluations / "thumbnail-gru", evaluation_report(), "evaluation", PARAMS.evaluation)
    shutil.copytree(training, own / "training")
    record_folder(settings, training)
    record_folder(settings, own)
    first = one(settings, "night run")
    cached = settings.model_copy(update={"run_name": "second night"})
    record_inputs(cached, [evaluations])
    _, child = runs(settings)["thumbnail-gru"]
    assert child.data.tags["mlflow.parentRunId"] == one(settings, "second night").info.run_id
    assert child.data.metrics["accuracy"] == 0.8
    assert child.data.params["training.learning_rate"] == "0.001"
    assert history(settings, child.info.run_id, "training.curve.train_loss")
    assert files(settings, child.info.run_id, "model") == {"model/model.keras", "model/training.json"}
    came_from = {name: value for name, value in child.data.tags.items() if name.startswith("reelflow.reused")}
    assert came_from == dict.fromkeys(
        ("reelflow.reused.training", "reelflow.reused.evaluation"), f"night run {first.info.run_id}"
    )
    assert not [name for name in runs(settings)["thumbnail-gru"][0].data.tags if "reused" in name]


def test_a_curve_is_one_point_an_epoch_however_often_it_is_logged(settings, tmp_path):
    folder = training_folder(tmp_path)
    for _ in range(2):
        record_folder(settings, folder)
    run_id = one(settings, "thumbnail-gru").info.run_id
    expected = [(1, 0.9), (2, 0.5), (3, 0.3)]
    assert history(settings, run_id, "training.curve.train_loss") == expected
    tracker = Tracker(settings)
    for _ in range(2):  # as after a kill between the logging and the mark that all is logged
        tracker.log(run_id, curves={"training.curve.train_loss": (0.9, 0.5, 0.3)}, metrics={"single": 1.0})
    assert history(settings, run_id, "training.curve.train_loss") == expected
    assert history(settings, run_id, "single") == [(0, 1.0)]


def test_other_parameters_make_another_run_and_the_first_keeps_its_own(settings, tmp_path):
    for learning_rate in (0.001, 0.002, 0.001):
        record_folder(settings, training_folder(tmp_path, learning_rate))
    found = [run.data.params["training.learning_rate"] for run in runs(settings)["thumbnail-gru"]]
    assert found == ["0.001", "0.002"]
    assert len(runs(settings)["night run"]) == 1


def test_two_backbones_features_share_the_parent(settings, tmp_path):
    tracker = Tracker(settings)
    parent = tracker.parent("night run", {"features.thumbnail.key": "a", "features.seed": "1"})
    assert tracker.parent("night run", {"features.inception_v3.key": "b", "features.seed": "1"}) == parent


def test_a_run_whose_maker_was_killed_before_its_params_gets_them(settings):
    tracker = Tracker(settings)
    parent = tracker.parent("night run")
    assert tracker.parent("night run", {"a": "1"}) == parent
    assert tracker.parent("night run", {"a": "1", "b": "2"}) == parent
    assert client(settings).get_run(parent).data.params == {"a": "1", "b": "2"}


def test_children_are_found_however_many_there_are(settings, monkeypatch):
    monkeypatch.setattr(experiment_module, "MAX_RUNS", 2)
    tracker = Tracker(settings)
    parent = tracker.parent("night run")
    made = [tracker.child(parent, f"trial {number}", {"number": str(number)}) for number in range(5)]
    assert [tracker.child(parent, f"trial {number}") for number in range(5)] == made
    tracker.finish(made[0])
    assert tracker.ended_children(parent) == [("trial 0", {"number": "0"})]


def test_a_step_without_a_pipeline_lands_in_a_run_named_after_the_data(settings, tmp_path):
    unnamed = settings.model_copy(update={"run_name": ""})
    record_folder(unnamed, save_step(tmp_path, dataset_report(), "dataset", PARAMS.dataset))
    assert set(runs(settings)) == {"data-5f5f5f5f"}


def test_foreign_run_ids_in_the_environment_change_nothing(settings, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "77")
    record_folder(settings, save_step(tmp_path, dataset_report(), "dataset", PARAMS.dataset))
    assert one(settings, "night run").data.params["dataset.seed"] == "1"


def test_a_failed_run_ends_its_children_but_not_those_that_are_evaluated(settings, tmp_path):
    prepare(settings)
    record_folder(settings, training_folder(tmp_path / "t"))
    report = evaluation_report("lstm")
    record_folder(settings, save_step(tmp_path / "e", report, "evaluation", PARAMS.evaluation))
    finish_run(settings, "FAILED")
    statuses = {name: found[0].info.status for name, found in runs(settings).items()}
    assert statuses == {"night run": "FAILED", "thumbnail-gru": "FAILED", "thumbnail-lstm": "FINISHED"}
    finish_run(settings, "FINISHED")
    assert {found[0].info.status for found in runs(settings).values()} == {"FINISHED"}


def test_many_long_and_odd_values_fit_mlflows_limits(settings):
    tracker = Tracker(settings)
    run_id = tracker.parent('it\'s a "night" run ünïcode')
    assert tracker.parent('it\'s a "night" run ünïcode') == run_id
    params = flatten({"classes": ["x" * 20_000], **{f"p{index}": index for index in range(250)}}, "many")
    curve = [float(epoch) for epoch in range(1500)]
    for _ in range(2):
        tracker.log(run_id, params=params, curves={"long": curve}, tags={"é": "ü"})
    run = client(settings).get_run(run_id)
    assert run.data.params == params
    assert len(run.data.params["many.classes"]) == 5000
    assert len(history(settings, run_id, "long")) == 1500
    assert run.data.tags[RUN_TAG] == "it_s a _night_ run ünïcode"


def test_nested_values_become_dotted_names():
    values = {"split_lists": {"train": "a.txt"}, "rate": 0.1, "names": ["b"], "none": None}
    assert flatten(values, "dataset") == {
        "dataset.split_lists.train": "a.txt",
        "dataset.rate": "0.1",
        "dataset.names": '["b"]',
        "dataset.none": "null",
    }


def test_an_unfinished_folder_is_refused(settings, tmp_path):
    with pytest.raises(BundleError, match=r"provenance\.json is missing"):
        record_folder(settings, tmp_path)


WRITER = """
import sys
from pathlib import Path
from reelflow.settings import Settings
from reelflow.tracking.tracker import Tracker
from reelflow.tracking.records import prepare, finish_run
settings = Settings(tracking_uri=sys.argv[1], run_name="together")
prepare(settings)
tracker = Tracker(settings)
child = tracker.child(tracker.parent("together"), sys.argv[2])
for round in range(10):
    tracker.log(child, curves={f"curve{round}": range(150)}, params={f"p{round}": "1"}, tags={"t": "1"})
"""


@pytest.mark.parametrize("made", [True, slow(False)])
def test_parallel_processes_create_one_database_and_one_parent(tmp_path, empty_database, made):
    uri = f"sqlite:///{tmp_path / 'a b' / 'mlflow.db'}"
    if made:
        (tmp_path / "a b").mkdir()
        shutil.copy(empty_database, tmp_path / "a b" / "mlflow.db")
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}

    def write(name: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", WRITER, uri, name]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(write, ["a", "b"]))
    assert [run.returncode for run in ended] == [0, 0], ended
    assert "locked" not in "".join(run.stderr for run in ended)
    settings = Settings(tracking_uri=uri)
    found = runs(settings)
    assert {name: len(items) for name, items in found.items()} == {"together": 1, "a": 1, "b": 1}
    assert len(history(settings, found["b"][0].info.run_id, "curve9")) == 150
    assert found["a"][0].info.artifact_uri.startswith((tmp_path / "a b" / "mlartifacts").as_uri())


def test_an_unreachable_server_is_a_quick_error_without_the_password():
    started = time.monotonic()
    with pytest.raises(TrackingError, match="no MLflow server answers") as caught:
        prepare(Settings(tracking_uri="http://someone:secret@127.0.0.1:9/ml"))
    assert time.monotonic() - started < 5
    assert "secret" not in str(caught.value)
    assert "http://***@127.0.0.1:9/ml" in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret/w0rd", "s3cret?w0rd", "s3cret#w0rd", "s3c:ret/w0rd"])
def test_a_password_that_breaks_the_address_is_told_without_it(password):
    with pytest.raises(TrackingError, match="%2F, %3F, %23") as caught:
        prepare(Settings(tracking_uri=f"http://someone:{password}@127.0.0.1:9/ml"))
    assert not caught.value.may_pass
    assert not any(part in str(caught.value) for part in ("s3c", "w0rd", "someone"))


@pytest.mark.parametrize("uri", ["mlruns", "file:///tmp/mlruns", "sqlite://", "sqlite:///:memory:"])
def test_what_cannot_be_shared_by_processes_is_refused(uri):
    with pytest.raises(TrackingError, match="expected sqlite:///FILE"):
        prepare(Settings(tracking_uri=uri))


def test_a_file_that_is_no_database_is_a_tracking_error(tmp_path):
    (tmp_path / "mlflow.db").write_text("no database, but long enough to be taken for one" * 100)
    with pytest.raises(TrackingError, match="not a database"):
        prepare(Settings(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}"))


def test_a_deleted_experiment_says_how_to_restore_it(settings):
    mlflow, experiment = mlflow_client.connect(settings)
    mlflow.delete_experiment(experiment)
    mlflow_client._connect.cache_clear()
    with pytest.raises(TrackingError, match=f"restore --experiment-id {experiment}"):
        prepare(settings)
