"""Kubeflow Pipelines tracks a run itself, and reelflow's steps run in its containers.

Tags, tree and variables are those of backend/src/apiserver/plugins/mlflow/util.go and
backend/src/v2/common/plugins/mlflow/handler.go of kubeflow/pipelines at
7b70c7b95f6832772efd6fd0029a4024491a0f44.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.lifecycle import begin, end
from reelflow.tracking.records import record_folder, record_inputs
from tests.fake_reports import (
    PARAMS,
    bundle_report,
    dataset_report,
    evaluation_report,
    release_report,
    save_step,
    training_report,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
RUN_ID = "5a8b9f0e-0000-4000-8000-000000000001"
TASKS = ("check", "dataset", "training-2", "evaluation-2", "conversion", "release", "outcome")


@dataclass
class Kfp:
    """What KFP does with MLflow."""

    client: MlflowClient
    monkeypatch: pytest.MonkeyPatch
    artifacts: Path

    def start_run(self) -> str:
        """`OnBeforeRunCreation` of the API server, and the driver of the group within the exit handler."""
        self.experiment = self.client.create_experiment("KFP-Default", str(self.artifacts))
        tags = {
            "kfp.pipeline_run_id": RUN_ID,
            "kfp.pipeline_run_url": f"https://kfp/#/runs/details/{RUN_ID}",
            "mlflow.kfp.idempotencyKey": RUN_ID,
        }
        self.pipeline = self._run("training 2026-11-27", tags)
        self.group = self._run("exit-handler-1", {"mlflow.parentRunId": self.pipeline})
        return self.pipeline

    def start_task(self, name: str) -> None:
        """`OnTaskStart` of the driver, and the variables of the user's container."""
        self.task = self._run(name, {"mlflow.parentRunId": self.group})
        self.monkeypatch.setenv("MLFLOW_RUN_ID", self.task)
        self.monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", self.experiment)
        self.monkeypatch.setenv("REELFLOW_RUN", RUN_ID)

    def end_task(self) -> None:
        """`OnTaskEnd` of the launcher."""
        self.client.set_terminated(self.task, "FINISHED")

    def _run(self, name: str, tags: dict[str, str]) -> str:
        return str(self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id)


@pytest.fixture
def kfp(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kfp:
    uri = f"sqlite:///{shutil.copy(empty_database, tmp_path / 'mlflow.db')}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    return Kfp(mlflow_client.connect(Settings())[0], monkeypatch, tmp_path / "artifacts")


def folders(place: Path) -> dict[str, Path]:
    evaluation = save_step(
        place / "es" / "thumbnail-gru", evaluation_report(), "evaluation", PARAMS.evaluation
    )
    training = save_step(place / "t", training_report(), "training", PARAMS.training, {"head": "gru"})
    shutil.copytree(training, evaluation / "training")
    return {
        "dataset": save_step(place / "d", dataset_report(), "dataset", PARAMS.dataset),
        "training-2": training,
        "evaluation-2": evaluation,
        "conversion": save_step(place / "b", bundle_report(), "conversion", PARAMS.conversion),
        "release": save_step(place / "r", release_report(), "release", PARAMS.release),
    }


def as_kfp_runs_it(kfp: Kfp, place: Path, *, cached: tuple[str, ...] = ()) -> None:
    """Every task in turn, but those whose results KFP's cache has."""
    made = folders(place)
    (place / "clips").mkdir()
    (place / "clips/a.mp4").write_bytes(b"clip")
    for name in TASKS:
        if name in cached:
            continue
        kfp.start_task(name)
        settings = Settings()
        if name == "check":
            begin(settings, str(place / "clips"), "work", always=True)
        elif name == "outcome":
            assert end(settings) == ""
        else:
            before = [place / "d", place / "es"] if name in ("conversion", "release") else []
            record_inputs(settings, before)
            record_folder(settings, made[name])
        kfp.end_task()


def all_runs(kfp: Kfp) -> dict[str, Any]:
    experiments = [one.experiment_id for one in kfp.client.search_experiments()]
    found = {run.info.run_id: run for run in kfp.client.search_runs(experiments)}
    assert {run.info.experiment_id for run in found.values()} == {kfp.experiment}
    return found


@pytest.mark.parametrize("cached", [(), ("dataset", "training-2")])
def test_there_is_one_tree(kfp, tmp_path, cached):
    pipeline = kfp.start_run()
    as_kfp_runs_it(kfp, tmp_path, cached=cached)
    found = all_runs(kfp)
    assert len(found) == 2 + len(TASKS) - len(cached), "no run beside those of KFP"
    root = found[pipeline]
    assert root.data.tags["reelflow.chosen"] == "thumbnail-gru"
    assert root.data.params["dataset.split"] == "group"
    assert root.data.metrics["accuracy"] == 0.8
    (child,) = (run for run in found.values() if run.info.run_name == "thumbnail-gru")
    assert child.data.params["training.head"] == "gru"
    assert child.data.metrics["accuracy"] == 0.8
    assert child.data.tags["mlflow.parentRunId"] == kfp.group
    with_curves = [run for run in found.values() if "training.curve.train_loss" in run.data.metrics]
    assert with_curves == [child]
    points = kfp.client.get_metric_history(child.info.run_id, "training.curve.train_loss")
    assert [(point.step, point.value) for point in points] == [(1, 0.9), (2, 0.5), (3, 0.3)]


def test_a_run_that_kfp_does_not_know_by_this_name_is_left_alone(kfp, tmp_path, monkeypatch):
    pipeline = kfp.start_run()
    kfp.start_task("dataset")
    monkeypatch.setenv("REELFLOW_RUN", "another run")
    record_folder(Settings(), folders(tmp_path)["dataset"])
    assert kfp.client.get_run(pipeline).data.params == {}
    assert kfp.client.get_run(kfp.task).data.params == {}
