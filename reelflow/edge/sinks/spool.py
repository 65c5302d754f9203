"""A bounded queue on disk of messages that wait for a sink.

Every message has a place in one order. Its text is in the file; where the disk refuses it (full, read-only),
it stays in memory, within narrow bounds, and goes to the file as soon as the disk takes it. When a bound is
reached, the oldest message is dropped and counted; not the one that was peeked at, which may be under way.
A file that is damaged is renamed, counted, and replaced by an empty one; where even that fails, the spool
goes on in memory, and the next start looks at the file again.
"""

import sqlite3
import time
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import RLock

from reelflow.edge.sinks.database import BUSY, DAMAGED, UNREADABLE, SpoolCounts, SpoolFile, code_of, set_aside
from reelflow.errors import ParamsError

MAX_ROWS, MAX_BYTES = 10_000, 16_000_000
MEMORY_ROWS, MEMORY_BYTES = 500, 1_000_000
REOPEN_S = 5.0


class Spool:
    """Takes messages from one thread and gives them to another; raises nothing once it is made.

    Attributes:
        lost: messages that were dropped, over all restarts.
        failures: refusals of the disk, and files that were set aside, since the start.
    """

    def __init__(self, path: Path | None, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        """Open or make the file.

        Args:
            path: of the file; none keeps the messages in memory, and a restart loses them.
            max_rows: bound of the number of messages.
            max_bytes: bound of their length; the file may be a little larger.

        Raises:
            ParamsError: another sink, or another process, has it open.
        """
        self._path, self._max_rows, self._max_bytes = path, max_rows, max_bytes
        self._lock = RLock()
        self._sizes: OrderedDict[int, int] = OrderedDict()  # of all that wait, by id
        self._bytes = 0
        self._unwritten: OrderedDict[int, str] = OrderedDict()
        self._unwritten_bytes = 0
        self._undeleted: list[int] = []
        self._peeked: int | None = None
        self._next = 1
        self._closed = self._abandoned = False
        self._file: SpoolFile | None = None
        self._opened_at = 0.0
        self.lost = self.set_aside = self.failures = 0
        self._open()

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._sizes)

    def append(self, body: str) -> None:
        """Add a message; after `close` it is lost."""
        with self._lock:
            if self._closed:
                self.lost += 1
                return
            self._add(self._next, len(body))
            self._unwritten[self._next] = body
            self._unwritten_bytes += len(body)
            self._next += 1
            while len(self._sizes) > self._max_rows or self._bytes > self._max_bytes:
                if not self._drop_oldest(self._sizes):
                    break
            self._settle()

    def peek(self) -> str | None:
        """The oldest message, which stays; None if nothing waits."""
        with self._lock:
            if self._closed:
                return None
            if self._unwritten or self._undeleted:
                self._settle()
            while self._sizes:
                self._peeked = next(iter(self._sizes))
                body = self._unwritten.get(self._peeked)
                body = self._read(self._peeked) if body is None else body
                if body is not None:
                    return body
            self._peeked = None
            return None

    def remove(self, *, lost: bool = False) -> None:
        """Remove the message that was peeked at: it is delivered, or `lost`."""
        with self._lock:
            key, self._peeked = self._peeked, None
            if self._closed or key is None or key not in self._sizes:  # it went with a damaged file
                return
            self._take(key)
            self.lost += lost
            self._settle()

    def close(self) -> None:
        """Close the file. What the disk never took is lost, and counted."""
        with self._lock:
            if self._closed:
                return
            if not (self._settle() or self._settle()):  # the second time, into a new file
                self.lost += len(self._unwritten)
            self._closed = True
            if self._file:
                self._file.close()

    def _add(self, key: int, size: int) -> None:
        self._sizes[key] = size
        self._bytes += size

    def _take(self, key: int) -> None:
        """Take a message out of the order, and out of the file with the next write."""
        self._bytes -= self._sizes.pop(key)
        body = self._unwritten.pop(key, None)
        if body is None:
            self._undeleted.append(key)
        else:
            self._unwritten_bytes -= len(body)

    def _drop_oldest(self, keys: OrderedDict[int, int] | OrderedDict[int, str]) -> bool:
        """Drop the oldest of these that was not peeked at; false if there is none."""
        key = next((key for key in keys if key != self._peeked), None)
        if key is None:
            return False
        self._take(key)
        self.lost += 1
        return True

    def _settle(self) -> bool:
        """Write what the file lacks; where it cannot be written, bound what is in memory."""
        if self._file is None and self._path and time.monotonic() - self._opened_at >= REOPEN_S:
            with suppress(ParamsError):  # in use: counted
                self._open()
        if self._file and self._write(self._file):
            return True
        rows, size = (MEMORY_ROWS, MEMORY_BYTES) if self._path else (self._max_rows, self._max_bytes)
        while len(self._unwritten) > rows or self._unwritten_bytes > size:
            if not self._drop_oldest(self._unwritten):
                break
        return False

    def _write(self, file: SpoolFile) -> bool:
        try:
            file.write(self._unwritten.items(), self._undeleted, SpoolCounts(self.lost, self.set_aside))
        except sqlite3.Error as error:
            self.failures += 1
            if code_of(error) in DAMAGED:
                self._replace_file()  # the next write fills it
            return False
        self._unwritten.clear()
        self._undeleted.clear()
        self._unwritten_bytes = 0
        return True

    def _read(self, key: int) -> str | None:
        """A message of the file. If it is not there, it is lost, and so are all others of a damaged file."""
        body = None
        try:
            body = self._file.body(key) if self._file else None
        except sqlite3.Error as error:
            self.failures += 1
            if code_of(error) in UNREADABLE:
                self._replace_file()
        if body is None and key in self._sizes:
            self._take(key)
            self.lost += 1
        return body

    def _replace_file(self) -> None:
        """Set the file aside, which loses what is in it alone, and begin another."""
        for key in [key for key in self._sizes if key not in self._unwritten]:
            self._take(key)
            self.lost += 1
        self._undeleted.clear()
        if self._file:
            self._file.close()
        self._file = None
        self._set_aside_and_open()

    def _open(self) -> None:
        """Open the file, if the disk lets; what it holds comes before what is in memory."""
        if self._path is None or self._abandoned:
            return
        self._opened_at = time.monotonic()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._adopt(SpoolFile(self._path))
        except OSError:
            self.failures += 1
        except sqlite3.Error as error:
            self.failures += 1
            if code_of(error) in BUSY:
                raise ParamsError(
                    f"{self._path} is in use: another sink of this address, or another process, has it open; "
                    "give each address once, or name another spool folder"
                ) from error
            if code_of(error) in DAMAGED:
                self._set_aside_and_open()

    def _set_aside_and_open(self) -> None:
        assert self._path is not None
        self._opened_at = time.monotonic()
        try:
            set_aside(self._path)
        except OSError:
            self.failures += 1
            self._abandoned = True
            return
        self.set_aside += 1
        try:
            self._adopt(SpoolFile(self._path))
        except sqlite3.Error:
            self.failures += 1

    def _adopt(self, file: SpoolFile) -> None:
        """Take over what a file holds. Messages in memory get new ids, after those of the file."""
        rows, counts = file.sizes(), file.counts()
        self._file = file
        self.lost += counts.lost
        self.set_aside += counts.set_aside
        shift = rows[-1][0] if rows else 0
        waiting, bodies = dict(self._sizes), dict(self._unwritten)
        self._sizes.clear()
        self._unwritten.clear()
        self._bytes = 0
        for key, size in rows:
            self._add(key, size)
        for key, size in waiting.items():
            self._add(key + shift, size)
            self._unwritten[key + shift] = bodies[key]
        self._next += shift
        self._peeked = None if self._peeked is None else self._peeked + shift
