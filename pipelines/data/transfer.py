"""Copies missing shards between stores, verified by sha256, in parallel.

A file is copied before the listing that names it: an interrupted transfer leaves no incomplete shard;
the same command copies the rest.
"""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from pipelines.data.catalog import Catalog, Shard, read_catalog
from reelflow.errors import StorageError
from reelflow.objectstore.interface import ObjectStore
from reelflow.progress import emit

MEGABYTE = 1e6
WAY = ".transfer-"


@dataclass(frozen=True)
class TransferResult:
    """Result of a transfer.

    Attributes:
        copied: shards.
        present: shards that the target already had.
        torn: incomplete shards of the source; skipped.
        size_bytes: of all files that were copied.
    """

    copied: int
    present: int
    torn: int
    size_bytes: int


def transfer(source: ObjectStore, target: ObjectStore, staging: Path, jobs: int) -> TransferResult:
    """Copy the shards that the target lacks.

    Args:
        source: store to read.
        target: store to write.
        staging: an existing folder for files in transfer; best on the disk of a local store.
        jobs: shards at a time.

    Raises:
        StorageError: a store or the disk refuses, or a file has been altered.
    """
    there, here = read_catalog(source), read_catalog(target)
    torn = [shard for shard in there.shards.values() if not there.is_whole(shard)]
    whole = [shard for shard in there.shards.values() if there.is_whole(shard)]
    missing = [shard for shard in whole if not _has(there, here, shard)]
    with tempfile.TemporaryDirectory(prefix=WAY, dir=staging) as folder:
        way = Way(source, target, there, here, Path(folder), _Progress(_total(there, here, missing)))
        with ThreadPoolExecutor(jobs) as pool:
            try:
                sizes = list(pool.map(way.copy, missing))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return TransferResult(len(missing), len(whole) - len(missing), len(torn), sum(sizes))


@dataclass(frozen=True)
class Way:
    """A transfer between two stores."""

    source: ObjectStore
    target: ObjectStore
    there: Catalog
    here: Catalog
    staging: Path
    progress: "_Progress"

    def copy(self, shard: Shard) -> int:
        """Copy a shard's files, then its listing; returns their bytes."""
        with tempfile.TemporaryDirectory(dir=self.staging) as folder:
            size_bytes = sum(
                self._copy_file(name, sha256, Path(folder, sha256))
                for name, sha256 in dict(zip(shard.objects, shard.files.values(), strict=True)).items()
                if not _same(self.there, self.here, name)
            )
            listing = Path(folder, "listing.json")
            if not self.source.get(shard.name, listing):
                raise StorageError(f"{shard.name} is gone from the source: run the same command again")
            self._put(shard.name, listing)
        return size_bytes

    def _copy_file(self, name: str, sha256: str, path: Path) -> int:
        if not self.source.get(name, path, sha256=sha256):
            raise StorageError(
                f"{name} is gone from the source, or was altered there: run the same command again"
            )
        size_bytes = path.stat().st_size
        self._put(name, path)
        path.unlink()
        self.progress.add(size_bytes)
        return size_bytes

    def _put(self, name: str, path: Path) -> None:
        if name in self.here.objects:  # incomplete, or of another size
            self.target.delete(name)
        self.target.put_new(name, path)


@dataclass
class _Progress:
    total_bytes: int
    done_bytes: int = 0
    lock: Lock = field(default_factory=Lock)

    def add(self, size_bytes: int) -> None:
        with self.lock:
            self.done_bytes += size_bytes
            done, total = (round(size / MEGABYTE, 1) for size in (self.done_bytes, self.total_bytes))
            emit("progress", done=done, total=max(done, total), unit="MB")


def _has(there: Catalog, here: Catalog, shard: Shard) -> bool:
    """Whether a store has a shard with this key; truncated files do not count."""
    known = here.shards.get(shard.name)
    if known is None or not here.is_whole(known):
        return False
    return all(_same(there, here, name) for name in known.objects if name in there.objects)


def _same(there: Catalog, here: Catalog, name: str) -> bool:
    known = here.objects.get(name)
    return known is not None and known.size_bytes == there.objects[name].size_bytes


def _total(there: Catalog, here: Catalog, shards: list[Shard]) -> int:
    names = {name for shard in shards for name in shard.objects}
    return sum(there.objects[name].size_bytes for name in names if not _same(there, here, name))
