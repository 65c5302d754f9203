"""Real processes on a real MLflow: promotions at once, and a kill before each write."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.tracking.promotion.moves import Promotions
from reelflow.tracking.registry import MlflowRegistry
from tests.promoting import (
    MODEL,
    VERSIONS,
    check_whole,
    die_at_write,
    processes,
    promote,
    race,
    register_versions,
    state,
)
from tests.s3_server import free_port


@pytest.fixture(scope="module")
def registered(empty_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with four versions, and no champion."""
    folder = tmp_path_factory.mktemp("registered")
    file = Path(shutil.copy(empty_database, folder / "mlflow.db"))
    register_versions(f"sqlite:///{file}")
    return file


@pytest.fixture
def copied(registered: Path, tmp_path: Path) -> Callable[[], str]:
    """The URI of a new copy of it."""
    count = iter(range(1000))
    return lambda: f"sqlite:///{shutil.copy(registered, tmp_path / f'{next(count)}.db')}"


def test_mlflow_keeps_what_is_written_once(copied):
    journals = MlflowRegistry(Settings(tracking_uri=copied())).journals
    assert journals.read(MODEL).texts == {}
    assert journals.add(MODEL, "entry-000001", "first")
    assert journals.add(MODEL, "entry-000001", "first"), "a repeated request does no harm"
    assert not journals.add(MODEL, "entry-000001", "second")
    assert journals.read(MODEL).texts == {"entry-000001": "first"}
    assert journals.read("no such model").texts == {}


def test_what_is_altered_in_the_database_is_found(copied):
    uri = copied()
    assert [promote(uri, version) for version in (1, 2, 3)] == ["moved"] * 3
    with sqlite3.connect(uri.removeprefix("sqlite:///")) as database:
        changed = database.execute(
            "UPDATE params SET value = replace(value, ?, ?) WHERE key = 'entry-000002'",
            ('"champion":2', '"champion":4'),
        )
        assert changed.rowcount == 1
    journal, *_ = state(uri)
    assert [found.what for found in journal.problems] == ["entry 2 was altered after it was written"]


def test_a_deleted_run_of_the_journal_is_told(copied):
    uri = copied()
    promote(uri, 1)
    registry = MlflowRegistry(Settings(tracking_uri=uri))
    run_id = registry._client.get_registered_model(MODEL).tags["reelflow.journal"]
    registry._client.delete_run(run_id)
    assert f"mlflow runs restore --run-id {run_id}" in state(uri)[0].trouble
    assert promote(uri, 2) == "PromotionError"


@pytest.mark.slow
def test_of_promotions_at_once_every_one_is_whole(copied):
    for _ in range(3):
        uri = copied()
        assert check_whole(uri, race(uri, range(1, VERSIONS + 1), contested=False))


@pytest.mark.slow
def test_of_those_that_judged_by_the_same_state_one_moves(copied):
    for _ in range(3):
        uri = copied()
        moved = check_whole(uri, race(uri, range(1, VERSIONS + 1), contested=True))
        assert len(moved) == 1


@pytest.fixture
def server(registered: Path, tmp_path: Path) -> Iterator[str]:
    """A server of MLflow with several workers: no lock of a file, no compare-and-set but the journal's."""
    port, file = free_port(), shutil.copy(registered, tmp_path / "server.db")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{file}", "--workers", "2"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(120):
            with suppress(TrackingError):
                state(f"http://127.0.0.1:{port}")
                break
            time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.mark.slow
def test_on_a_server_one_moves_too(server):
    assert len(check_whole(server, race(server, range(1, VERSIONS + 1), contested=True))) == 1


@pytest.mark.slow
def test_on_a_server_promotions_at_once_are_whole_after_the_last(server):
    assert check_whole(server, race(server, range(1, VERSIONS + 1), contested=False))


@pytest.mark.slow
def test_a_kill_before_any_write_is_finished_or_undone_by_the_next_call(copied):
    killed = 0
    for point in range(20):
        uri = copied()
        assert promote(uri, 1) == "moved"
        process = processes().Process(target=die_at_write, args=(uri, 2, point))
        process.start()
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -9
        killed += 1
        written = len(state(uri)[0].entries) - 1
        promotions = Promotions(MlflowRegistry(Settings(tracking_uri=uri)), MODEL, "the next call")
        promotions.settled()
        journal, champion, previous = state(uri)
        assert (champion, previous) == ((2, 1) if written else (1, None)), point
        assert journal.problems == ()
        assert [entry.action for entry in journal.entries] == ["promote"] * (1 + written), "no false alarm"
    assert killed >= 6
    assert state(uri)[1:] == (2, 1)
