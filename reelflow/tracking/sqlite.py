"""MLflow's sqlite database: created and migrated safely even if the process is killed.

MLflow itself creates and upgrades table by table: a kill in between would break the file for good.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from reelflow.errors import TrackingError
from reelflow.files import atomic

SQLITE = "sqlite:///"
BUSY_S = 5


def sqlite_file(uri: str) -> Path:
    """The file of a sqlite URI."""
    return Path(uri.removeprefix(SQLITE).split("?")[0]).absolute()


def migrate(file: Path) -> None:
    """Upgrade the database if necessary; the caller holds the lock.

    Raises:
        TrackingError: another process is writing to a database that must be upgraded.
    """
    from mlflow.store.db import utils

    file.parent.mkdir(parents=True, exist_ok=True)
    with _engine(file) as engine:
        is_new = utils._is_empty_database(engine)
        is_old = not is_new and utils._get_schema_version(engine) != utils._get_latest_schema_revision()
    if is_new:
        with atomic(file) as partial, _engine(partial) as engine:
            utils._initialize_tables(engine)
    if is_old:
        _upgrade(file)


def _upgrade(file: Path) -> None:
    """Upgrade a copy, and replace the database with it in one transaction of sqlite."""
    from mlflow.store.db import utils

    with _empty_folder(file.with_name(f".{file.name}.upgrade")) as folder, _connection(file) as database:
        copy = folder / file.name
        _copy(database, copy, file)
        before = _changes(database)
        with _engine(copy) as engine:
            utils._upgrade_db(engine)
        if _changes(database) != before:
            raise _in_use(file)
        with _connection(copy) as upgraded:
            _copy(upgraded, file, file)


def _copy(source: sqlite3.Connection, target: Path, file: Path) -> None:
    """Replace a database by another; readers of `target` see either the old or the new one."""

    def check(status: int, *_: int) -> None:
        if status == sqlite3.SQLITE_BUSY:
            raise _in_use(file)

    with _connection(target) as database:
        source.backup(database, progress=check)


def _changes(database: sqlite3.Connection) -> int:
    """Data version: changes when another connection writes to the database."""
    return int(database.execute("PRAGMA data_version").fetchone()[0])


def _in_use(file: Path) -> TrackingError:
    return TrackingError(
        f"{file} is of an older MLflow and must be upgraded, but another process is using it: stop that "
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
def _connection(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(file, timeout=BUSY_S)) as connection:
        yield connection


@contextmanager
def _engine(file: Path) -> Iterator[Any]:
    from mlflow.store.db.utils import create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(f"{SQLITE}{file}")
    try:
        yield engine
    finally:
        engine.dispose()
