"""MLflow's sqlite database: created and migrated safely even if the process is killed.

MLflow itself creates and upgrades table by table: a kill in between would break the file for good.
"""

import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

from reelflow.errors import TrackingError
from reelflow.settings import sqlite_uri

SQLITE = "sqlite:///"
BUSY_S = 5


def sqlite_file(uri: str) -> Path:
    """The file of a sqlite URI."""
    return Path(unquote(uri.removeprefix(SQLITE).split("?")[0])).absolute()


def migrate(file: Path) -> None:
    """Create or upgrade the database if necessary; the caller holds the lock.

    Raises:
        TrackingError: another process is writing to a database that must be upgraded.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with connection(file) as database:
        if _upgraded_for(database) != _this_mlflow():
            _upgrade(database, file)


def _upgrade(database: sqlite3.Connection, file: Path) -> None:
    """Upgrade a copy, and replace the database with it in one transaction of sqlite."""
    from mlflow.db import upgrade

    with _empty_folder(file.with_name(f".{file.name}.upgrade")) as folder:
        copy = folder / file.name
        _copy(database, copy, file)
        before = _changes(database)
        upgrade.main([sqlite_uri(copy)], standalone_mode=False)  # `mlflow db upgrade`
        if _changes(database) != before:
            raise _in_use(file)
        with connection(copy) as upgraded:
            upgraded.execute(f"PRAGMA user_version = {_this_mlflow()}")
            _copy(upgraded, file, file)


def _upgraded_for(database: sqlite3.Connection) -> int:
    """The number of the MLflow that the database was upgraded for; 0 if it was never."""
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _this_mlflow() -> int:
    """A number for the installed MLflow, for sqlite's `user_version`."""
    import mlflow

    return zlib.crc32(mlflow.__version__.encode()) >> 1  # 31 bits


def _copy(source: sqlite3.Connection, target: Path, file: Path) -> None:
    """Replace a database by another; readers of `target` see either the old or the new one."""

    def check(status: int, *_: int) -> None:
        if status == sqlite3.SQLITE_BUSY:
            raise _in_use(file)

    with connection(target) as database:
        source.backup(database, progress=check)


def _changes(database: sqlite3.Connection) -> int:
    """Data version: changes when another connection writes to the database."""
    return int(database.execute("PRAGMA data_version").fetchone()[0])


def _in_use(file: Path) -> TrackingError:
    return TrackingError(
        f"{file} must be upgraded for this MLflow, but another process is using it: stop that "
        "(mlflow ui, another run), and run the same command again"
    )


@contextmanager
def _empty_folder(folder: Path) -> Iterator[Path]:
    """An empty temporary folder; leftovers of a killed process are removed first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def connection(file: Path) -> Iterator[sqlite3.Connection]:
    """A database, closed at the end; another process's lock is waited for."""
    with closing(sqlite3.connect(file, timeout=BUSY_S)) as database:
        yield database
