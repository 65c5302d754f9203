"""Teachers from folders and from MLflow."""

from pathlib import Path

import pytest

from reelflow.errors import BundleError, ParamsError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.client import connect
from reelflow.tracking.records import record_folder
from reelflow.tracking.teachers import check_teachers, gathered
from tests.fake_reports import PARAMS, save_step, training_report

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")  # MLflow's


@pytest.fixture
def settings(database, monkeypatch) -> Settings:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.setenv("REELFLOW_RUN", "night run")
    return Settings()


def training_folder(folder: Path) -> Path:
    save_step(folder, training_report(), "training", PARAMS.training, {"head": "gru"})
    (folder / "model.keras").write_bytes(b"model")
    return folder


def contents(found: dict[str, Path]) -> list[dict[str, bytes]]:
    folders = sorted(found["teachers"].iterdir())
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


def expected(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("model.keras", "training.json")}


def test_no_teacher_is_no_input():
    with gathered((), Settings()) as found:
        assert found == {}


def test_folders_and_the_models_in_them_are_the_same(tmp_path, monkeypatch):
    folder = training_folder(tmp_path / "t")
    monkeypatch.chdir(tmp_path)
    with gathered([str(folder), "t/model.keras"], Settings()) as found:
        assert contents(found) == [expected(folder)] * 2
    assert not found["teachers"].exists()
    assert folder.exists()


def test_a_recorded_run_and_the_model_registered_from_it_give_the_training(settings, tmp_path):
    folder = training_folder(tmp_path / "t")
    record_folder(settings, folder)
    client, experiment = connect(settings)
    runs = client.search_runs([experiment])
    run_id = next(run.info.run_id for run in runs if run.info.run_name == "thumbnail-gru")
    client.create_registered_model("fights")
    client.create_model_version("fights", str(tmp_path), run_id=run_id)
    client.set_registered_model_alias("fights", "champion", "1")
    uris = [f"runs:/{run_id}/model/model.keras", "models:/fights@champion", "models:/fights/1"]
    with gathered(uris, Settings()) as found:
        assert contents(found) == [expected(folder)] * 3


@pytest.mark.parametrize("uri", ["runs:/none/model/model.keras", "models:/none@champion", "models:/none/3"])
def test_what_mlflow_does_not_know_is_explained(settings, uri):
    with pytest.raises(TrackingError, match="none"), gathered([uri], Settings()):
        pass


def test_a_run_without_the_report_is_refused(settings, tmp_path):
    client, experiment = connect(settings)
    run_id = client.create_run(experiment).info.run_id
    (tmp_path / "model.keras").write_bytes(b"model")
    client.log_artifact(run_id, str(tmp_path / "model.keras"), "model")
    with (
        pytest.raises(BundleError, match=r"no training\.json: its training clips"),
        gathered([f"runs:/{run_id}"], Settings()),
    ):
        pass


def test_a_bare_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"model")
    with (
        pytest.raises(BundleError, match="are unknown; use a complete training folder"),
        gathered([str(tmp_path / "model.keras")], Settings()),
    ):
        pass


def test_a_name_of_nothing_is_explained(tmp_path):
    with (
        pytest.raises(ParamsError, match=r"found no .*none; expected a training folder"),
        gathered([str(tmp_path / "none")], Settings()),
    ):
        pass


@pytest.mark.parametrize("name", ["none", "n" * 300, "a\0b"])
def test_files_that_are_not_there_are_said_before_anything_runs(name):
    check_teachers(["runs:/unknown"])
    with pytest.raises(ParamsError, match="found no"):
        check_teachers(["runs:/unknown", name])


def test_a_named_model_is_that_one(tmp_path):
    folder = training_folder(tmp_path / "t")
    (folder / "other.keras").write_bytes(b"other")
    with gathered([str(folder / "other.keras")], Settings()) as found:
        assert contents(found)[0]["model.keras"] == b"other"
