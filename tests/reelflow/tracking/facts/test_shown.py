"""What MLflow's own columns show of a run: data sets, source, user, commit, descriptions."""

import json
import subprocess
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from reelflow.contracts import Gate
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.client import KIND, KIND_TAG
from reelflow.tracking.facts import origin
from reelflow.tracking.facts.notes import escaped, release_note
from reelflow.tracking.records import NOTE_TAG, record_folder
from tests.fake_reports import (
    PARAMS,
    dataset_report,
    release_report,
    save_step,
    summary_of,
    training_report,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def recorded(settings: Settings, tmp_path: Path, **data: object) -> dict[str, object]:
    """Runs by name, after a data set and a training; both twice, as a run that was resumed."""
    for _ in range(2):
        folder = tmp_path / "dataset"
        record_folder(settings, save_step(folder, dataset_report(**data), "dataset", PARAMS.dataset))
        folder = tmp_path / "training"
        record_folder(settings, save_step(folder, training_report(), "training", PARAMS.training))
    client, experiment = mlflow_client.connect(settings)
    return {run.info.run_name: run for run in client.search_runs([experiment])}


@pytest.mark.parametrize(
    ("source", "kind", "name"),
    [
        ("/data/lot", "local", "lot"),
        ("s3://bucket/sites/lot", "s3", "lot"),
        ("git+https://example.org/team/data.git@v3#clips/lot", "git", "lot"),
    ],
)
def test_a_run_and_its_classifiers_read_data_sets(settings, tmp_path, source, kind, name):
    runs = recorded(settings, tmp_path, source=source, revision="abc")
    assert len(runs) == 2
    for run in runs.values():
        found = {one.dataset.name: one for one in run.inputs.dataset_inputs}
        assert set(found) == {f"{name} training", f"{name} validation", f"{name} test"}
        test = found[f"{name} test"]
        assert [(tag.key, tag.value) for tag in test.tags] == [("mlflow.data.context", "test")]
        assert test.dataset.digest == dataset_report().data_hash[:32]
        assert test.dataset.source_type == kind
        assert json.loads(test.dataset.source) == {"uri": source, "revision": "abc"}
        profile = json.loads(test.dataset.profile)
        assert (profile["clips"], profile["classes"]) == (6, {"falling": 3, "rising": 3})


def test_who_ran_what_is_in_mlflows_own_tags(settings, tmp_path):
    for run in recorded(settings, tmp_path).values():
        tags = run.data.tags
        assert tags["mlflow.source.name"].startswith("reelflow ")
        assert tags["mlflow.source.type"] == "LOCAL"
        assert tags["mlflow.user"]
        assert len(tags["mlflow.source.git.commit"]) == 40
        assert tags["mlflow.source.git.dirty"] in ("true", "false")
    assert origin.origin_tags(on_cluster=True)["mlflow.source.type"] == "JOB"


@pytest.mark.parametrize(("revision", "dirty"), [("c" * 40, "false"), (f"{'c' * 40}-dirty", "true")])
def test_in_an_image_the_commit_is_that_of_its_build(monkeypatch, tmp_path, revision, dirty):
    (tmp_path / "app").mkdir()
    monkeypatch.setattr(origin, "__file__", str(tmp_path / "app" / "origin.py"))
    origin._git.cache_clear()
    try:
        tags = origin.origin_tags(on_cluster=True, revision=revision)
    finally:
        origin._git.cache_clear()
    assert tags["mlflow.source.git.commit"] == "c" * 40
    assert tags["mlflow.source.git.dirty"] == dirty


def test_no_password_of_a_remote_is_shown(monkeypatch, tmp_path):
    (tmp_path / "here").mkdir()
    for command in (["init", "-q"], ["remote", "add", "origin", "https://me:s3cret@example.org/a.git"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    monkeypatch.setattr(origin, "__file__", str(tmp_path / "here" / "origin.py"))
    origin._git.cache_clear()
    try:
        tags = origin.origin_tags(on_cluster=False)
    finally:
        origin._git.cache_clear()
    assert tags["mlflow.source.git.repoURL"] == "https://example.org/a.git"
    assert "mlflow.source.git.dirty" not in tags, "there is no commit yet"


def test_an_experiment_is_of_model_training_unless_its_owner_chose_otherwise(settings, tmp_path):
    client, experiment = mlflow_client.connect(settings)
    assert client.get_experiment(experiment).tags[KIND_TAG] == KIND
    other = client.create_experiment("theirs", str(tmp_path), {KIND_TAG: "genai_development"})
    mlflow_client.connect(settings.model_copy(update={"experiment": "theirs"}))
    assert client.get_experiment(other).tags[KIND_TAG] == "genai_development"
    plain = client.create_experiment("plain", str(tmp_path))
    mlflow_client.connect(settings.model_copy(update={"experiment": "plain"}))
    assert client.get_experiment(plain).tags[KIND_TAG] == KIND


def test_an_experiment_whose_kind_cannot_be_set_is_used_all_the_same(settings, tmp_path, monkeypatch):
    client, _ = mlflow_client.connect(settings)
    plain = client.create_experiment("plain", str(tmp_path))

    def refused(*_):
        raise MlflowException("UNIQUE constraint failed: experiment_tags.key")

    monkeypatch.setattr(MlflowClient, "set_experiment_tag", refused)
    assert mlflow_client.connect(settings.model_copy(update={"experiment": "plain"}))[1] == plain


def test_a_run_and_its_version_are_described(settings, tmp_path):
    client, experiment = mlflow_client.connect(settings)
    report = release_report()
    client.create_registered_model(report.model_name)
    for _ in range(report.version):
        client.create_model_version(report.model_name, "mlflow-artifacts:/x")
    record_folder(settings, save_step(tmp_path / "r", report, "release", PARAMS.release))
    (run,) = client.search_runs([experiment])
    note = run.data.tags[NOTE_TAG]
    assert note == client.get_model_version(report.model_name, str(report.version)).description
    assert f"version {report.version}" in note
    assert "pipelines history" in client.get_registered_model(report.model_name).description


def test_a_description_of_a_model_that_somebody_wrote_stays(settings, tmp_path):
    client, _ = mlflow_client.connect(settings)
    report = release_report()
    client.create_registered_model(report.model_name, description="mine")
    for _ in range(report.version):
        client.create_model_version(report.model_name, "mlflow-artifacts:/x")
    record_folder(settings, save_step(tmp_path / "r", report, "release", PARAMS.release))
    assert client.get_registered_model(report.model_name).description == "mine"


def test_names_of_users_are_text_in_descriptions():
    gates = (Gate(name="aarch64", found=None, limit=1.0, passed=False, why="no | image"),)
    changes = {"explanation": "<script>alert(1)</script>\n# big", "gates": gates, "warnings": ("a | b",)}
    report = release_report().model_copy(update=changes)
    note = release_note(report, summary_of(report), {})
    assert "<script>" not in note
    assert "\n# big" not in note
    assert "no &#124; image | 1 | no |" in note
    assert escaped("[a](b)") == r"\[a\]\(b\)"
