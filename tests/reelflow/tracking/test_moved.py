"""MLflow's sqlite file and the artifacts beside it keep together when their folder goes elsewhere."""

import shutil
from pathlib import Path

import pytest

from reelflow.errors import ReelflowError
from reelflow.settings import Settings, sqlite_uri
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.records import prepare
from reelflow.tracking.sqlite import sqlite_file
from reelflow.tracking.tracker import Tracker


def settings(folder: Path) -> Settings:
    return Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment="clips", run_name="night")


def read(folder: Path) -> str:
    """What the run that `prepare` started holds."""
    mlflow, _ = mlflow_client.connect(settings(folder))
    run_id = Tracker(settings(folder)).parent("night")
    return Path(mlflow.download_artifacts(run_id, "reelflow.txt")).read_text()


@pytest.fixture
def start(empty_database: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "old place"
    folder.mkdir()
    shutil.copy(empty_database, folder / "mlflow.db")
    prepare(settings(folder))
    return folder


@pytest.mark.parametrize("go", [shutil.move, shutil.copytree])
def test_artifacts_are_found_and_written_where_a_clone_went(start, tmp_path, go):
    end = tmp_path / "new%20place?"
    go(start, end)
    assert read(end).startswith("reelflow ")
    before = sorted(start.rglob("*"))
    mlflow, experiment = mlflow_client.connect(settings(end))
    model = mlflow.create_logged_model(experiment, "any")
    Tracker(settings(end)).check_writable(Tracker(settings(end)).parent("other"))
    assert model.artifact_location.startswith((end / "mlartifacts").as_uri())
    assert sorted(start.rglob("*")) == before


def test_a_location_that_somebody_chose_is_kept(empty_database, tmp_path):
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    mlflow, _ = mlflow_client.connect(settings(tmp_path))
    chosen = (tmp_path / "disk" / "mlartifacts" / "own").as_uri()
    (tmp_path / "disk" / "mlartifacts").mkdir(parents=True)
    own = mlflow.create_experiment("own", artifact_location=chosen)
    mlflow_client._connect.cache_clear()
    mlflow, _ = mlflow_client.connect(settings(tmp_path))
    assert mlflow.get_experiment(own).artifact_location == chosen


@pytest.mark.parametrize("name", ["plain", "a%20b", "what?", "100%", "a b#c", "ü"])
def test_a_uri_names_the_file(tmp_path, name):
    assert sqlite_file(sqlite_uri(tmp_path / name / "mlflow.db")) == tmp_path / name / "mlflow.db"


def test_an_artifact_root_that_cannot_be_written_is_told_at_the_start(start):
    (shutil.rmtree(start / "mlartifacts"), (start / "mlartifacts").write_text("a file"))
    with pytest.raises(ReelflowError, match="mlartifacts") as caught:
        prepare(settings(start))
    assert "output folder" not in str(caught.value)
    assert "MLFLOW_TRACKING_URI" in str(caught.value)
