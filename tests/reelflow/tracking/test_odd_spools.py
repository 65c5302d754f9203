"""What waits for MLflow in a spool that is damaged, newer, somebody else's, or of several servers."""

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from reelflow.errors import ReelflowError
from reelflow.progress import watched_by
from reelflow.settings import Settings
from reelflow.tracking.spool.owed import Owed, TrackingSpool
from reelflow.tracking.spool.recorder import RunRecorder
from tests.permissions import run_bound_by_rights

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrackingSpool:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", AWAY)
    monkeypatch.setenv("REELFLOW_SPOOL", str(tmp_path / "spool"))
    return TrackingSpool(tmp_path / "spool")


def owed(run: str, server: str = AWAY, experiment: str = "reelflow") -> Owed:
    return Owed(run=run, server=server, experiment=experiment, folders=(Path("/gone"),))


@pytest.mark.parametrize("text", ["", "{", '{"schema_version": 2, "new": 1}', '{"run": "r", "moved": true}'])
def test_a_document_that_cannot_be_read_is_told(spool: TrackingSpool, text: str) -> None:
    """The replay said that nothing waits, and ended with 0."""
    spool.keep(owed("r"))
    document = spool.document_of(owed("r"))
    document.write_text(text)
    done = CliRunner().invoke(app, ["track", "replay"])
    assert isinstance(done.exception, ReelflowError)
    assert done.exception.exit_code == 7
    (line,) = done.output.splitlines()
    assert line.startswith(f"{document} is not a valid Owed")
    assert "replay with the reelflow that wrote it, or run the same command of that run again" in line
    assert document.read_text() == text, "nothing is lost"


def test_a_damaged_document_holds_up_no_run(spool: TrackingSpool) -> None:
    """A run that was resumed ended with 5 before its first step."""
    spool.keep(owed("r"))
    document = spool.document_of(owed("r"))
    document.write_text("{")
    settings = Settings(REELFLOW_RUN="r")
    told: list[str] = []
    with watched_by(lambda event: told.append(str(event.get("message")))):
        RunRecorder(settings, settings, reached=False)
    assert "it is kept as" in told[0]
    assert Path(told[0].rpartition("kept as ")[2]).read_text() == "{"
    assert len(spool.unreadable()) == 1


def test_steps_for_two_servers_are_two_documents(spool: TrackingSpool) -> None:
    """A step that was run for a second server waited for the first, and was sent there."""
    for server in (AWAY, "http://127.0.0.1:8"):
        own = Settings(MLFLOW_TRACKING_URI=server)
        spool.keep(spool.of(own).with_folder(Path(f"/of {server}")))
    assert {one.server: one.folders for one in spool.all()} == {
        server: (Path(f"/of {server}"),) for server in (AWAY, "http://127.0.0.1:8")
    }


def test_steps_that_an_earlier_version_kept_are_gone_on_with(spool: TrackingSpool) -> None:
    spool.folder.mkdir()
    earlier = spool.folder / "steps.owed.json"
    earlier.write_text(owed("").to_json())
    spool.keep(spool.of(Settings()).with_folder(Path("/new")))
    (found,) = spool.all()
    assert found.folders == (Path("/gone"), Path("/new"))
    assert not earlier.exists()
    other = Settings(MLFLOW_TRACKING_URI="http://127.0.0.1:8")
    earlier.write_text(owed("").to_json())
    assert spool.of(other).folders == (), "of another server"
    spool.keep(found.but(folders=()))
    assert list(spool.all()) == []


def test_a_run_that_goes_on_with_another_server_waits_for_that(spool: TrackingSpool) -> None:
    spool.keep(owed("r"))
    other = Settings(MLFLOW_TRACKING_URI="http://127.0.0.1:8", REELFLOW_RUN="r")
    spool.keep(spool.of(other).with_folder(Path("/new")))
    assert [one.server for one in spool.all()] == ["http://127.0.0.1:8"]


@pytest.mark.slow
def test_a_spool_of_somebody_else_is_told(spool: TrackingSpool) -> None:
    """A folder that may not be listed looked empty."""
    spool.keep(owed("r"))
    spool.folder.chmod(0)
    try:
        done = run_bound_by_rights(sys.executable, "-m", "pipelines", "track", "replay")
    finally:
        spool.folder.chmod(0o700)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.count("\n") == 1
    assert "permission denied: name another folder in REELFLOW_SPOOL" in done.stderr
