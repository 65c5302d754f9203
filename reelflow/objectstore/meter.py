"""Counts the bytes that go through a store, by kind: the first part of an object's name."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from reelflow.objectstore.interface import IncompleteUpload, ObjectStore, Stored


@dataclass(frozen=True)
class TransferMeter:
    """Bytes that were read and written so far.

    Attributes:
        read: bytes by kind.
        written: bytes by kind; those of what was there already count too.
    """

    read: Counter[str] = field(default_factory=Counter)
    written: Counter[str] = field(default_factory=Counter)


class MeteredStore:
    """Passes everything on to a store, and counts."""

    def __init__(self, store: ObjectStore, meter: TransferMeter) -> None:
        self._store, self._meter = store, meter

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Write a whole object to `path`."""
        found = self._store.get(name, path, sha256=sha256)
        if found:
            self._meter.read[_kind(name)] += path.stat().st_size
        return found

    def read(self, name: str, start: int, size_bytes: int) -> bytes | None:
        """A part of an object."""
        found = self._store.read(name, start, size_bytes)
        self._meter.read[_kind(name)] += len(found or b"")
        return found

    def put_new(self, name: str, path: Path) -> None:
        """Store a file."""
        self._store.put_new(name, path)
        self._meter.written[_kind(name)] += path.stat().st_size

    def replace(self, name: str, path: Path) -> None:
        """Store a file in the place of another."""
        self._store.replace(name, path)
        self._meter.written[_kind(name)] += path.stat().st_size

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        return self._store.size_of(name)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names start with the prefix."""
        return self._store.list(prefix)

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._store.delete(name)

    def incomplete_uploads(self) -> Iterator[IncompleteUpload]:
        """The uploads that have not finished."""
        return self._store.incomplete_uploads()

    def abort(self, upload: IncompleteUpload) -> None:
        """Remove an incomplete upload."""
        self._store.abort(upload)


def _kind(name: str) -> str:
    return name.partition("/")[0]
