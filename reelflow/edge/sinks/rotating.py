"""JSON lines in a file that is rotated by size, named as by logrotate: FILE, FILE.1, FILE.2 (older)."""

import os
from pathlib import Path

from reelflow.edge.sinks.delivery import UndeliveredError

MAX_BYTES, KEEP = 10_000_000, 5


class RotatingFile:
    """Appends lines.

    The file is opened again when it was removed or renamed; its size is asked for before every line, so that
    it may be truncated too. A line that the disk took in part is cut off again. What a killed process left
    unfinished is ended, so that one line alone cannot be read.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES, keep: int = KEEP) -> None:
        """Name the file; it is opened by the first line.

        Args:
            path: of the file; its folder is made.
            max_bytes: of one file; a single longer line gets a file of its own.
            keep: number of older files, 1 at least.
        """
        self._path, self._max_bytes, self._keep = path, max_bytes, keep
        self._fd: int | None = None

    def deliver(self, body: str) -> None:
        """Append a line.

        Raises:
            UndeliveredError: the disk is full, or the like; another time it may work.
        """
        try:
            self._append(f"{body}\n".encode())
        except OSError as error:
            self.close()
            raise UndeliveredError(f"{self._path} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Close the file; another line opens it again."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _append(self, line: bytes) -> None:
        fd = self._current()
        size = os.fstat(fd).st_size
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            fd, size = self._current(), 0
        written = 0
        try:
            while written < len(line):
                written += os.write(fd, line[written:])
        except OSError:
            if written:
                os.ftruncate(fd, size)
            raise

    def _current(self) -> int:
        """The open file, if it is still the one of this name."""
        if self._fd is not None and not self._is_current(self._fd):
            self.close()
        if self._fd is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
            size = os.fstat(self._fd).st_size
            if size and os.pread(self._fd, 1, size - 1) != b"\n":
                os.write(self._fd, b"\n")
        return self._fd

    def _is_current(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), self._path.stat())
        except FileNotFoundError:
            return False

    def _rotate(self) -> None:
        """Rename every file by one; each is under one of the names at any time."""
        self.close()
        for number in range(self._keep - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
