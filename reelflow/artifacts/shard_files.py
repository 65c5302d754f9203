"""Files of shards: beside their report, or in an object store, under the hash of their bytes.

On a cluster with a store only reports travel from task to task. What they name is read from the store when it
is needed, and checked.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from reelflow.contracts import Sha256
from reelflow.errors import BundleError, ParamsError, StorageError
from reelflow.objectstore.interface import ObjectStore, file_name
from reelflow.settings import Settings
from reelflow.workers.scratch import Scratch

Loaded = TypeVar("Loaded")
Read = Callable[[int, int], bytes]
"""Reads so many bytes from an offset on."""


class ShardFiles(Protocol):
    """Files by name and hash. Several threads may read at once."""

    def load(self, name: str, sha256: Sha256, read: Callable[[Path], Loaded]) -> Loaded:
        """Read a whole file, once it is on this disk.

        Raises:
            BundleError: it is missing; one that comes from a store has been altered.
            StorageError: the store or the disk refuses.
        """
        ...

    @contextmanager
    def span(self, name: str, sha256: Sha256, start: int, size_bytes: int, part: Sha256) -> Iterator[Read]:
        """Read a part of a file, by offsets from the file's beginning.

        Args:
            name: of the file.
            sha256: of the file.
            start: of the part.
            size_bytes: of the part.
            part: hash of the part, checked where the file as a whole is not.

        Raises:
            BundleError: it is missing, or has been altered.
            StorageError: the store refuses.
        """
        ...


class FolderFiles:
    """Files of a folder; who reads a part has checked the whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, name: str, sha256: Sha256, read: Callable[[Path], Loaded]) -> Loaded:  # noqa: ARG002
        """Read the file, if it is in the folder; its reader checks it."""
        path = self._folder / name
        if path.parent != self._folder or not path.is_file():
            raise BundleError(f"{path} is missing: remove its folder and run the step that wrote it again")
        return read(path)

    @contextmanager
    def span(
        self,
        name: str,
        sha256: Sha256,  # noqa: ARG002
        start: int,  # noqa: ARG002
        size_bytes: int,  # noqa: ARG002
        part: Sha256,  # noqa: ARG002
    ) -> Iterator[Read]:
        """Read what is asked for, and nothing else."""
        with (self._folder / name).open("rb", buffering=0) as file:

            def read(offset: int, length: int) -> bytes:
                file.seek(offset)
                return file.read(length)

            yield read


class StoredFiles:
    """Files of a kind in an object store; whole ones are kept in a bounded folder of this disk."""

    def __init__(self, store: ObjectStore, kind: str, scratch: Scratch) -> None:
        self._store, self._kind, self._scratch = store, kind, scratch

    def load(self, name: str, sha256: Sha256, read: Callable[[Path], Loaded]) -> Loaded:
        """Fetch a file, unless it is here, and read it."""

        def fetch(path: Path) -> None:
            if not self._store.get(file_name(self._kind, sha256), path, sha256=sha256):
                raise _missing(name)

        return self._scratch.load(f"{sha256}{Path(name).suffix}", fetch, read)

    @contextmanager
    def span(self, name: str, sha256: Sha256, start: int, size_bytes: int, part: Sha256) -> Iterator[Read]:
        """Fetch the part by one request; what is twice not what was stored is removed from the store."""
        stored = file_name(self._kind, sha256)
        for _ in range(2):
            found = self._store.read(stored, start, size_bytes)
            if found is None:
                raise _missing(name)
            if hashlib.sha256(found).hexdigest() == part:
                break
        else:
            self._store.delete(stored)
            raise BundleError(
                f"{name} was altered in the store and is removed: run the step that wrote it again "
                "(on a cluster: submit --fresh)"
            )
        yield lambda offset, length: found[offset - start : offset - start + length]


@dataclass(frozen=True)
class ShardAccess:
    """How a task reaches shards.

    Attributes:
        store: the store of shared shards; None without one.
        scratch: where files of the store are kept.
        stays: new shards stay in the store; their report does not bring them along.
    """

    store: ObjectStore | None = None
    scratch: Scratch = field(default_factory=lambda: Scratch(Path(tempfile.gettempdir()) / "reelflow-shards"))
    stays: bool = False

    def files(self, folder: Path, kind: str, *, stored: bool) -> ShardFiles:
        """Where the shards of a report are.

        Args:
            folder: of the report.
            kind: of the shards, `frames` or `features`.
            stored: the report says that they are in a store.

        Raises:
            StorageError: they are in a store, and the settings name none.
        """
        if not stored:
            return FolderFiles(folder)
        if self.store is None:
            raise StorageError(
                f"the {kind} of {folder} are in an object store: set REELFLOW_STORE to the one that was used"
            )
        return StoredFiles(self.store, kind, self.scratch)


def shard_access(settings: Settings, store: ObjectStore | None) -> ShardAccess:
    """What the settings say.

    Args:
        settings: where new shards stay, and the room for those of the store.
        store: the one that the settings name.

    Raises:
        ParamsError: shards are to stay in a store, and there is none.
    """
    if settings.shards == "store" and store is None:
        raise ParamsError("REELFLOW_SHARDS is store, and REELFLOW_STORE names none: set it, or use folder")
    scratch = Scratch(Path(tempfile.gettempdir()) / "reelflow-shards", settings.scratch_bytes)
    return ShardAccess(store, scratch, settings.shards == "store")


def _missing(name: str) -> BundleError:
    return BundleError(
        f"the store holds no {name} any more: run the step that wrote it again (on a cluster: submit --fresh)"
    )
