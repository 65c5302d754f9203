"""`python -m pipelines track replay`."""

import pytest
from typer.testing import CliRunner

from pipelines.track.commands import commands
from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.spool.owed import Owed, OwedRelease, TrackingSpool
from tests.fake_reports import PARAMS, dataset_report, save_step

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def spool(database, monkeypatch) -> TrackingSpool:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    mlflow_client._connect.cache_clear()
    return TrackingSpool(Settings().spool)


def replayed() -> list[str]:
    done = CliRunner().invoke(commands, ["replay"], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout.splitlines()


def test_nothing_waits(spool):
    assert replayed() == [f"nothing waits in {spool.folder}"]


def test_what_waits_for_this_server_is_sent_and_the_rest_is_told(spool, tmp_path):
    folder = save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset)
    here = Owed.of(Settings(run_name="night run")).with_folder(folder).but(status="FINISHED")
    spool.keep(here)
    spool.keep(here.but(run="their run", server="https://mlflow.example"))
    assert replayed() == [
        "night run is in MLflow",
        "their run waits for https://mlflow.example: set MLFLOW_TRACKING_URI to it",
    ]
    client, experiment = mlflow_client.connect(Settings())
    (run,) = client.search_runs([experiment])
    assert (run.info.run_name, run.info.status) == ("night run", "FINISHED")
    assert [owed.run for owed in spool.all()] == ["their run"]


def test_a_bundle_whose_folders_are_gone_does_not_hold_up_the_rest(spool, tmp_path):
    gone = OwedRelease(
        out=tmp_path / "out",
        params=PARAMS.release.model_dump(mode="json"),
        inputs={name: tmp_path / name for name in ("dataset", "frames", "bundle")},
        evaluations=(tmp_path / "evaluation",),
    )
    spool.keep(Owed.of(Settings(run_name="night run")).but(release=gone, status="FINISHED"))
    told = " ".join(replayed())
    assert "its bundle cannot be registered any more" in told
    assert told.endswith("night run is in MLflow")


def test_mlflow_is_still_away(spool, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    folder = save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset)
    spool.keep(Owed.of(Settings(run_name="night run")).with_folder(folder))
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        replayed()
    assert [owed.run for owed in spool.all()] == ["night run"]
