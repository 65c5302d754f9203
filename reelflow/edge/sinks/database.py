"""The file of a spool: messages in order, and two counts that survive a restart.

WAL with `synchronous=NORMAL`: what is committed survives a killed process; after a power cut the newest
messages may be missing, the file stays whole (https://sqlite.org/pragma.html#pragma_synchronous). The lock is
held while the file is open (`locking_mode=EXCLUSIVE`), so that no second process sends the same messages.
"""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

VERSION = 1
CHECKPOINT_PAGES = 200
CACHE_KIB = 256
BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""SQLITE_ERROR: it is a database, of another program or version."""
UNREADABLE = (*DAMAGED, sqlite3.SQLITE_IOERR)
TABLES = (
    "CREATE TABLE IF NOT EXISTS messages (id INTEGER PRIMARY KEY, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL)",
    f"PRAGMA user_version = {VERSION}",
)


class SpoolCounts(NamedTuple):
    """What is remembered over restarts."""

    lost: int = 0
    set_aside: int = 0


class SpoolFile:
    """An open file. Every method raises `sqlite3.Error`, which `code_of` explains."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, VERSION):
            raise _foreign(f"user_version {version}, expected {VERSION}")
        if version == 0:
            self._in_one([(statement, ()) for statement in TABLES])

    def counts(self) -> SpoolCounts:
        """The counts, as last written."""
        return SpoolCounts(**dict(self._db.execute("SELECT name, value FROM counts")))

    def sizes(self) -> list[tuple[int, int]]:
        """Id and length of every message, in order."""
        return self._db.execute("SELECT id, length(body) FROM messages ORDER BY id").fetchall()

    def body(self, key: int) -> str | None:
        """A message; None if it is not there."""
        row = self._db.execute("SELECT body FROM messages WHERE id = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def write(self, added: Iterable[tuple[int, str]], removed: Iterable[int], counts: SpoolCounts) -> None:
        """Change all, or nothing."""
        self._in_one(
            [("INSERT INTO messages VALUES (?, ?)", row) for row in added]
            + [("DELETE FROM messages WHERE id = ?", (key,)) for key in removed]
            + [("INSERT OR REPLACE INTO counts VALUES (?, ?)", row) for row in counts._asdict().items()]
        )

    def _in_one(self, statements: Iterable[tuple[str, tuple[object, ...]]]) -> None:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for statement, values in statements:
                self._db.execute(statement, values)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # sqlite may have rolled back itself
                self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close it; without this nothing is lost."""
        self._db.close()


def _foreign(found: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_ERROR
    return error


def code_of(error: sqlite3.Error) -> int:
    """Primary result code of sqlite, 0 if there is none (https://sqlite.org/rescode.html)."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def set_aside(path: Path) -> None:
    """Rename a file that cannot be used to NAME.damaged; an older one of this name is replaced.

    Its log goes first: sqlite would apply one that is left alone to the next file.

    Raises:
        OSError: the folder cannot be written.
    """
    for suffix in ("-wal", ""):
        found, target = (path.with_name(f"{path.name}{kind}{suffix}") for kind in ("", ".damaged"))
        target.unlink(missing_ok=True)
        if found.exists():
            found.replace(target)
