"""`python -m pipelines track replay`."""

from io import StringIO
from pathlib import Path

import pytest
from mlflow import MlflowClient
from rich.console import Console
from typer.testing import CliRunner

from pipelines.local.replay import replay_before_a_run
from pipelines.track.commands import commands
from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client as mlflow_client
from reelflow.tracking.runs.experiment import ExperimentRuns
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


def refused() -> list[str]:
    """What a replay tells of which a run is refused."""
    done = CliRunner().invoke(commands, ["replay"])
    assert isinstance(done.exception, TrackingError)
    assert done.exception.exit_code == 7
    return [*done.stdout.splitlines(), str(done.exception)]


def owe(spool: TrackingSpool, run: str, folder: Path, experiment: str = "reelflow") -> None:
    settings = Settings(run_name=run, experiment=experiment)
    spool.keep(Owed.of(settings).with_folder(folder).but(status="FINISHED"))


def owe_one_that_is_refused(spool: TrackingSpool, tmp_path: Path) -> tuple[MlflowClient, str]:
    """Owe two runs, the first of an experiment that was deleted; the client, and that experiment."""
    client, theirs = mlflow_client.connect(Settings(experiment="theirs"))
    client.delete_experiment(theirs)
    mlflow_client._connect.cache_clear()
    folder = save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset)
    owe(spool, "old run", folder, "theirs")
    owe(spool, "night run", folder)
    return client, theirs


def names_in(experiment: str = "reelflow") -> list[str]:
    client, found = mlflow_client.connect(Settings(experiment=experiment))
    return [run.info.run_name for run in client.search_runs([found])]


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


def test_a_run_whose_experiment_was_deleted_waits_and_holds_up_no_other(spool, tmp_path):
    client, theirs = owe_one_that_is_refused(spool, tmp_path)
    first, *rest = refused()
    assert first.startswith("old run is not in MLflow yet: the MLflow experiment 'theirs' was deleted")
    assert "when that is mended, run python -m pipelines track replay" in first
    assert first.endswith(f"or remove {spool.document_of(next(spool.all()))}")
    assert rest == [
        "night run is in MLflow",
        "not everything is in MLflow: old run could not be sent, as told above",
    ]
    assert [owed.run for owed in spool.all()] == ["old run"]
    client.restore_experiment(theirs)
    mlflow_client._connect.cache_clear()
    assert replayed() == ["old run is in MLflow"]
    assert (names_in("theirs"), names_in()) == (["old run"], ["night run"])


def test_a_run_whose_params_conflict_waits_and_holds_up_no_other(spool, tmp_path, monkeypatch):
    folder = save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset)
    for run in ("old run", "night run", "day run"):
        owe(spool, run, folder)
    create = ExperimentRuns.create

    def create_and_log(self, name, tags, started_ms):
        """Somebody else logs to the run meanwhile."""
        made = create(self, name, tags, started_ms)
        if name == "night run":
            self._client.log_param(made, "dataset.key", "another")
        return made

    monkeypatch.setattr(ExperimentRuns, "create", create_and_log)
    told = refused()
    assert told[0].startswith("night run is not in MLflow yet: MLflow at")
    assert "Changing param values is not allowed" in " ".join(told)
    assert [line for line in told if line.endswith("is in MLflow")] == [
        "old run is in MLflow",
        "day run is in MLflow",
    ]
    assert [owed.run for owed in spool.all()] == ["night run"]


def test_a_run_starts_beside_one_that_is_refused(spool, tmp_path):
    owe_one_that_is_refused(spool, tmp_path)
    console = Console(file=StringIO(), width=1000)
    replay_before_a_run(Settings(), console)
    told = console.file.getvalue()
    assert "old run is not in MLflow yet" in told
    assert "night run is in MLflow now" in told


def test_mlflow_is_still_away(spool, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    folder = save_step(tmp_path / "d", dataset_report(), "dataset", PARAMS.dataset)
    spool.keep(Owed.of(Settings(run_name="night run")).with_folder(folder))
    with pytest.raises(TrackingError, match="no MLflow server answers"):
        replayed()
    assert [owed.run for owed in spool.all()] == ["night run"]
