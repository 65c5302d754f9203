"""MLflow's sqlite file of an older MLflow: upgraded with all its runs, wherever a kill comes."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from mlflow import MlflowClient
from mlflow.store.db import utils
from mlflow.store.tracking.dbmodels.initial_models import Base

from reelflow.errors import TrackingError
from reelflow.tracking import sqlite as mlflow_sqlite

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
REVISIONS_BACK = 30
RUNS = 5
KILLED_BEFORE_A_STATEMENT = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import Engine, event
from reelflow.tracking.sqlite import migrate

left = int(sys.argv[2])

@event.listens_for(Engine, "before_cursor_execute")
def count(connection, cursor, statement, *_):
    global left
    left -= not statement.lstrip().upper().startswith(("SELECT", "PRAGMA"))
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

migrate(Path(sys.argv[1]))
"""
MIGRATE = "import sys; from pathlib import Path; from reelflow.tracking.sqlite import migrate; "
MIGRATE += "migrate(Path(sys.argv[1]))"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database as an older MLflow made it, with runs."""
    file = tmp_path / "mlflow.db"
    engine = utils.create_sqlalchemy_engine(f"sqlite:///{file}")
    Base.metadata.create_all(engine)
    config = utils._get_alembic_config(f"sqlite:///{file}")
    revisions = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revisions[REVISIONS_BACK])
    engine.dispose()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute(
            "INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage) "
            "VALUES (1, 'old', 'file:///nowhere', 'active')"
        )
        database.executemany(
            "INSERT INTO runs (run_uuid, name, experiment_id, user_id, status, start_time, lifecycle_stage, "
            "artifact_uri, source_type) "
            "VALUES (?, ?, 1, 'me', 'FINISHED', 1, 'active', 'file:///nowhere', 'LOCAL')",
            [(f"{number:032x}", f"run {number}") for number in range(RUNS)],
        )
    return file


def version(file: Path) -> str:
    with closing(sqlite3.connect(file)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return str(database.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def check_upgraded(file: Path) -> None:
    """The next start works, and finds all runs."""
    mlflow_sqlite.migrate(file)
    assert version(file) == utils._get_latest_schema_revision()
    found = MlflowClient(f"sqlite:///{file}").search_runs(["1"])
    assert sorted(run.info.run_id for run in found) == [f"{number:032x}" for number in range(RUNS)]
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_an_old_database_keeps_its_runs_and_its_readers(old):
    with closing(sqlite3.connect(old)) as reader:
        assert reader.execute("SELECT count(*) FROM runs").fetchone() == (RUNS,)
        check_upgraded(old)
        assert reader.execute("SELECT version_num FROM alembic_version").fetchone()[0] == version(old)


@pytest.mark.slow
def test_a_database_in_use_is_left_as_it_is(old, monkeypatch):
    monkeypatch.setattr(mlflow_sqlite, "BUSY_S", 0.1)
    before = version(old)
    with closing(sqlite3.connect(old)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackingError, match="another process is using it: stop that"):
            mlflow_sqlite.migrate(old)
    assert version(old) == before
    check_upgraded(old)


@pytest.mark.slow
def test_what_another_process_writes_meanwhile_is_not_lost(old, monkeypatch):
    upgrade = utils._upgrade_db

    def written_meanwhile(engine: object) -> None:
        upgrade(engine)
        with closing(sqlite3.connect(old)) as other, other:
            other.execute("UPDATE runs SET name = 'renamed'")

    with monkeypatch.context() as patch:
        patch.setattr(utils, "_upgrade_db", written_meanwhile)
        with pytest.raises(TrackingError, match="another process is using it"):
            mlflow_sqlite.migrate(old)
    check_upgraded(old)
    with closing(sqlite3.connect(old)) as database:
        assert database.execute("SELECT DISTINCT name FROM runs").fetchall() == [("renamed",)]


@pytest.mark.slow
@pytest.mark.parametrize("statements", [0, 1, 7, 20, 60, 110])
def test_a_kill_amid_the_upgrade(old, statements):
    before = version(old)
    killed = subprocess.run([sys.executable, "-c", KILLED_BEFORE_A_STATEMENT, old, str(statements)])
    assert killed.returncode == -signal.SIGKILL
    assert version(old) == before
    check_upgraded(old)


@pytest.mark.slow
def test_a_kill_while_the_upgraded_copy_is_put_in_place(old):
    with closing(sqlite3.connect(old)) as database, database:
        database.execute("CREATE TABLE filler AS SELECT randomblob(200000000)")
    journal = old.with_name(f"{old.name}-journal")
    with subprocess.Popen([sys.executable, "-c", MIGRATE, old]) as process:
        while process.poll() is None and not journal.exists():
            time.sleep(0.0005)
        os.kill(process.pid, signal.SIGKILL)
    assert (process.returncode, journal.exists()) == (-signal.SIGKILL, True)
    assert version(old) != utils._get_latest_schema_revision()
    check_upgraded(old)
