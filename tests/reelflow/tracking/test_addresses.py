"""Addresses and names as people and secrets write them."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import RestException

from reelflow.errors import TrackingError
from reelflow.settings import Settings, sqlite_uri
from reelflow.tracking import client
from reelflow.tracking.kfp_runs import kfp_runs
from reelflow.tracking.records import prepare
from reelflow.tracking.spool.owed import Owed
from reelflow.tracking.tracker import Tracker

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://mlflow.example\n", "https://mlflow.example"),  # a secret made from a file
        (" https://mlflow.example", "https://mlflow.example"),
        ("HTTPS://mlflow.example/A", "https://mlflow.example/A"),
        ("SQLITE:///A.db", "sqlite:///A.db"),
        ("sqlite+pysqlite:///A.db", "sqlite:///A.db"),
    ],
)
def test_an_address_is_read_as_it_is_meant(written: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS: was no server to reelflow, so that its outage ended runs; sqlite+pysqlite had no lock."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", written)
    assert Settings().tracking_uri == meant


def test_a_blank_address_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", " \n")
    assert Settings().tracking_uri == sqlite_uri(tmp_path / "mlflow.db")


@pytest.mark.parametrize("uri", ["ftp://host/x", "s3://bucket/x", "databricks-uc://x", "C:\\mlflow.db"])
def test_what_keeps_no_runs_is_refused_in_our_words(uri: str) -> None:
    with pytest.raises(TrackingError, match="expected sqlite:///FILE or a server's http"):
        prepare(Settings(tracking_uri=uri))


@pytest.fixture
def folder(empty_database: Path, tmp_path: Path) -> Path:
    (tmp_path / "one").mkdir()
    shutil.copy(empty_database, tmp_path / "one" / "mlflow.db")
    return tmp_path / "one"


@pytest.mark.parametrize("name", ["..", "../x", ".", "/", "team/clips", "x" * 480, "日本" * 100, "a\nb"])
def test_artifacts_of_any_experiment_are_in_their_folder(name: str, folder: Path) -> None:
    """`..` put them beside the database, and a long name could not be written."""
    prepare(Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment=name, run_name="r"))
    (found,) = folder.parent.rglob("reelflow.txt")
    assert len(found.relative_to(folder / "mlartifacts").parts) == 4  # experiment, run, artifacts, file


def test_two_names_have_two_folders(folder: Path) -> None:
    for name in ("a/b", "a_b", "a:b"):
        prepare(Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment=name, run_name="r"))
    assert len(list((folder / "mlartifacts").iterdir())) == 3


def test_artifacts_of_a_name_with_a_slash_move_with_their_folder(folder: Path, tmp_path: Path) -> None:
    """Only locations one level below the root were corrected: those of `team/clips` were lost."""
    here = Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment="team/clips", run_name="r")
    mlflow = client.connect(here.model_copy(update={"experiment": "x"}))[0]
    old = mlflow.create_experiment("team/clips", (folder / "mlartifacts/team/clips").as_uri())
    prepare(here)
    client._connect.cache_clear()
    folder.rename(tmp_path / "two")
    there = here.model_copy(update={"tracking_uri": sqlite_uri(tmp_path / "two" / "mlflow.db")})
    found, experiment = client.connect(there)
    assert experiment == old
    text = found.download_artifacts(Tracker(there).parent("r"), "reelflow.txt")
    assert Path(text).read_text().startswith("reelflow")


@pytest.mark.parametrize("letters", [490, 501])
def test_a_name_that_has_no_room_for_its_journal_is_told_at_the_start(letters: int, folder: Path) -> None:
    """The release ended with 7, after all the work: `<name>-promotions` was too long for MLflow."""
    named = Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment="x" * letters, run_name="r")
    with pytest.raises(TrackingError, match=f"has {letters} letters, expected at most 489"):
        prepare(named)


def test_a_run_id_of_somebody_else_in_the_shell_is_not_kfps(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLFLOW_RUN_ID of an experiment that this user may not read: nothing could be recorded.

    MLflow's server with accounts answers 403 (`validate_can_read_run` of mlflow.server.auth).
    """

    def refuse(*_: object) -> None:
        raise RestException({"error_code": "PERMISSION_DENIED", "message": "Permission denied"})

    monkeypatch.setattr(MlflowClient, "get_run", refuse)
    settings = Settings(MLFLOW_RUN_ID="5" * 32, REELFLOW_RUN="r")
    assert kfp_runs(MlflowClient("http://127.0.0.1:9"), settings) is None


def test_an_experiment_that_is_named_by_its_id_is_that(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's own clients take MLFLOW_EXPERIMENT_ID (`_get_experiment_id_from_env`); runs went elsewhere."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(folder / "mlflow.db"))
    monkeypatch.setenv("REELFLOW_RUN", "r")
    theirs = client.connect(Settings())[0].create_experiment("theirs", (folder / "theirs").as_uri())
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", theirs)
    found = Settings()
    assert client.connect(found)[1] == theirs
    assert found.variables()["MLFLOW_EXPERIMENT_ID"] == theirs
    assert "MLFLOW_EXPERIMENT_NAME" not in found.variables(), "a step would take the name"
    owed = Owed.model_validate_json(Owed.of(found).to_json())
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID")
    assert client.connect(owed.settings(Settings()))[1] == theirs, "a replay in another shell"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", theirs)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "named")
    assert client.connect(Settings())[1] != theirs


@pytest.mark.parametrize("wrong", ["404", "-", "no number"])
def test_an_id_without_an_experiment_is_told(wrong: str, folder: Path) -> None:
    with pytest.raises(TrackingError, match=r"MLFLOW_EXPERIMENT_ID is .* no such experiment: correct it"):
        prepare(Settings(tracking_uri=sqlite_uri(folder / "mlflow.db"), experiment_id=wrong, run_name="r"))
