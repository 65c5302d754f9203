"""Sqlite files that are not what MLflow expects: one line, and what to do next."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reelflow.errors import TrackingError
from reelflow.settings import Settings, sqlite_uri
from reelflow.tracking import client, sqlite
from reelflow.tracking.records import prepare

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def _of_a_newer_mlflow(file: Path) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffffffffff'")
        database.execute("PRAGMA user_version = 5")


def _of_another_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE songs (name TEXT)")


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (_of_a_newer_mlflow, "a newer MLflow, or another program, has made it: install that MLflow, or name"),
        (_of_another_program, "expected a database that MLflow has made: restore a backup of it, or name"),
        (lambda file: file.write_text("no database " * 500), "expected a database that MLflow has made"),
        (lambda file: file.write_bytes(file.read_bytes()[:50_000]), "expected a database that MLflow has"),
    ],
)
def test_a_file_that_is_not_mlflows(
    change: Callable[[Path], None], advice: str, empty_database: Path, tmp_path: Path
) -> None:
    """ "Can't locate revision identified by 'ffffffffffff'" said nothing of what to do."""
    file = Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))
    change(file)
    before = file.read_bytes()
    with pytest.raises(TrackingError, match=advice):
        prepare(Settings(MLFLOW_TRACKING_URI=sqlite_uri(file), REELFLOW_RUN="r"))
    assert file.read_bytes() == before, "it is left as it is"


@pytest.mark.slow
def test_a_locked_file_prints_no_traceback(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """`mlflow.store.db.utils` logs sqlalchemy's traceback as an error."""
    monkeypatch.setattr(sqlite, "BUSY_S", 0.1)
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    file = Path(shutil.copy(empty_database, tmp_path / "mlflow.db"))
    uri = f"{sqlite_uri(file)}?timeout=0.1"
    prepare(Settings(MLFLOW_TRACKING_URI=uri, REELFLOW_RUN="r"))
    client._connect.cache_clear()
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(TrackingError, match="database is locked; another process uses it"):
            prepare(Settings(MLFLOW_TRACKING_URI=uri, REELFLOW_RUN="another"))
    assert "Traceback" not in capfd.readouterr().err
