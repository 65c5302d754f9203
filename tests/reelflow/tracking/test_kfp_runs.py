"""Kubeflow Pipelines tracks a run itself, and reelflow's steps run in its containers.

Tags, tree, variables and calls are those of kubeflow/pipelines, in backend/src at
7b70c7b95f6832772efd6fd0029a4024491a0f44: apiserver/plugins/mlflow/util.go and handler.go,
v2/common/plugins/mlflow/handler.go, v2/component/launcher_v2.go, v2/metadata/client.go.
"""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl
from mlflow import MlflowClient
from mlflow.entities import Metric

from components.evaluation.component import evaluation
from components.release.component import release
from reelflow import steps
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.lifecycle import begin, end
from reelflow.tracking.records import REPORTS, record_folder, record_inputs
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
SHOWING = {"evaluation-2": evaluation, "release": release}
"""The components of tasks that show figures in KFP."""
SHOWN = {
    "metrics": dsl.Metrics,
    "figures": dsl.Markdown,
    "confusion": dsl.ClassificationMetrics,
    "report": dsl.HTML,
}


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
        config = {
            "endpoint": Settings().tracking_uri,
            "parentRunId": self.pipeline,
            "experimentId": self.experiment,
            "authType": "kubernetes",
            "timeout": "10s",
            "injectUserEnvVars": True,
        }
        self.monkeypatch.setenv("KFP_MLFLOW_CONFIG", json.dumps(config))

    def end_task(self, outputs: Iterable[dsl.Artifact] = ()) -> None:
        """`FormatScalarMetricArtifacts` and `OnTaskEnd` of the launcher; its points have no time."""
        scalar = [artifact for artifact in outputs if artifact.schema_title == "system.Metrics"]
        if points := [Metric(*item, 0, 0) for artifact in scalar for item in artifact.metadata.items()]:
            self.client.log_batch(self.task, metrics=points)
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


def outputs_of(component: Any, folder: Path) -> dict[str, dsl.Artifact]:
    """Run the function of a component, and return what it hands to KFP."""
    place = folder.parent / f"{folder.name} outputs"
    place.mkdir()
    spec = component.component_spec
    params = getattr(PARAMS, component.name).model_dump_json()
    inputs = dict.fromkeys(spec.inputs) | {"params": params}
    outputs = {name: SHOWN.get(name, dsl.Artifact)(name, str(place / name)) for name in spec.outputs}
    outputs[component.name].uri = str(folder)
    (folder / "report.html").touch()
    component.python_func(**inputs, **outputs)
    return outputs


def as_kfp_runs_it(kfp: Kfp, place: Path, *, cached: tuple[str, ...] = ()) -> dict[str, dsl.Artifact]:
    """Every task in turn, but those whose results KFP's cache has; returns what they show in KFP."""
    made, shown = folders(place), {}
    (place / "clips").mkdir()
    (place / "clips/a.mp4").write_bytes(b"clip")
    for name in TASKS:
        if name in cached:
            continue
        kfp.start_task(name)
        settings, outputs = Settings(), {}
        if name == "check":
            begin(settings, str(place / "clips"), "work", always=True)
        elif name == "outcome":
            assert end(settings) == ""
        else:
            before = [place / "d", place / "es"] if name in ("conversion", "release") else []
            record_inputs(settings, before)
            record_folder(settings, made[name])
            if component := SHOWING.get(name):
                report = REPORTS[component.name].open(made[name])
                kfp.monkeypatch.setattr(steps, "perform", lambda *_, report=report, **__: report)
                outputs = outputs_of(component, made[name])
        kfp.end_task(outputs.values())
        shown |= {f"{name}.{output}": artifact for output, artifact in outputs.items()}
    return shown


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


@pytest.mark.parametrize("cached", [(), ("dataset", "training-2")])
def test_a_figure_is_in_the_run_of_its_classifier_or_of_the_pipeline_alone(kfp, tmp_path, cached):
    pipeline = kfp.start_run()
    shown = as_kfp_runs_it(kfp, tmp_path, cached=cached)
    measured = {name: run for name, run in all_runs(kfp).items() if run.data.metrics}
    (child,) = (run for name, run in measured.items() if name != pipeline)
    assert child.info.run_name == "thumbnail-gru"
    figures = evaluation_report().metrics
    assert figures.items() <= child.data.metrics.items()
    for run, names in ((child, figures), (measured[pipeline], release_report().metrics)):
        points = [kfp.client.get_metric_history(run.info.run_id, name) for name in names]
        assert {len(found) for found in points} == {1}
    page = Path(shown["evaluation-2.figures"].path).read_text()
    assert all(f"| {name} | {value:.6g} |" in page for name, value in figures.items())
    assert "| accuracy | 0.8 |" in Path(shown["release.figures"].path).read_text()


@pytest.mark.parametrize("missing", ["KFP_MLFLOW_CONFIG", "MLFLOW_RUN_ID"])
def test_figures_are_metrics_of_kfp_where_it_has_no_run_of_ours(kfp, tmp_path, missing):
    kfp.start_run()
    kfp.start_task("evaluation-2")
    kfp.monkeypatch.delenv(missing)
    made = folders(tmp_path)["evaluation-2"]
    kfp.monkeypatch.setattr(steps, "perform", lambda *_, **__: evaluation_report())
    shown = outputs_of(evaluation, made)
    assert shown["metrics"].metadata == evaluation_report().metrics
    assert "| macro_f1 | 0.8 |" in Path(shown["figures"].path).read_text()


def test_a_run_that_kfp_does_not_know_by_this_name_is_left_alone(kfp, tmp_path, monkeypatch):
    pipeline = kfp.start_run()
    kfp.start_task("dataset")
    monkeypatch.setenv("REELFLOW_RUN", "another run")
    record_folder(Settings(), folders(tmp_path)["dataset"])
    assert kfp.client.get_run(pipeline).data.params == {}
    assert kfp.client.get_run(kfp.task).data.params == {}
