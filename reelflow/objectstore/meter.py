"""Counts the bytes that go through a store, by kind: the first part of an object's name."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from reelflow.objectstore.interface import ObjectStore


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
        self.size_of, self.list, self.delete = store.size_of, store.list, store.delete
        self.incomplete_uploads = store.incomplete_uploads

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


def _kind(name: str) -> str:
    return name.partition("/")[0]
