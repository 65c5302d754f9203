"""Leftovers of killed processes: temporary files, multipart uploads, transfer folders."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines.data.catalog import OURS
from pipelines.data.garbage import DAY_S
from pipelines.data.transfer import WAY
from reelflow.errors import disk_errors
from reelflow.files import unfinished
from reelflow.objectstore.interface import ObjectStore

TRANSFER = re.compile(rf"{re.escape(WAY)}\w{{8}}")


@dataclass(frozen=True)
class Leftover:
    """An unfinished file, upload or transfer.

    Attributes:
        kind: its kind, for display.
        size_bytes: 0 where unknown.
        modified: when it was last written to, in seconds since the epoch.
        remove: removes it; a missing one is not an error.
    """

    kind: str
    size_bytes: int
    modified: float
    remove: Callable[[], None]


def find_leftovers(
    store: ObjectStore, folders: Iterable[Path], staging: Path, older_than_days: float, now: float
) -> list[Leftover]:
    """Leftovers that are too old to be in use.

    Args:
        store: of shards.
        folders: where steps and fetches write.
        staging: where `pull` and `push` keep files in transfer.
        older_than_days: younger ones are kept.
        now: seconds since the epoch.

    Raises:
        StorageError: the store refuses or is not reachable.
    """
    limit = now - older_than_days * DAY_S
    found = (*_in_store(store), *(one for folder in folders for one in _in_folder(folder)))
    return [one for one in (*found, *_transfers(staging)) if one.modified < limit]


def clear(leftovers: list[Leftover]) -> int:
    """Remove them; returns how many were removed.

    Raises:
        StorageError: the store or the disk refuses; run the same command again for the rest.
    """
    for one in leftovers:
        one.remove()
    return len(leftovers)


def _in_store(store: ObjectStore) -> Iterator[Leftover]:
    for one in store.incomplete_uploads():
        if OURS.fullmatch(one.name):
            yield Leftover("unfinished shards", one.size_bytes, one.modified, one.remove)


def _in_folder(folder: Path) -> Iterator[Leftover]:
    for path, _ in unfinished(folder):
        with suppress(FileNotFoundError):
            stat = path.stat()
            yield Leftover("unfinished files", stat.st_size, stat.st_mtime, partial(_remove, path))


def _transfers(staging: Path) -> Iterator[Leftover]:
    for folder in staging.glob(f"{WAY}*"):
        if not TRANSFER.fullmatch(folder.name):
            continue
        with suppress(FileNotFoundError):  # still in use
            stats = [path.stat() for path in (folder, *folder.rglob("*"))]
            size, modified = sum(stat.st_size for stat in stats), max(stat.st_mtime for stat in stats)
            yield Leftover("unfinished transfers", size, modified, partial(_remove, folder))


def _remove(path: Path) -> None:
    with disk_errors(path):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
