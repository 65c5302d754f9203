"""Objects by name, in a directory or in S3: whole or absent, and verified when read.

Several processes and machines may write to a store at once. An object appears whole, by a rename or
by S3's own rule. Names stand for their content: who comes second with `put_new` leaves the first
one's copy, on servers that know conditional requests, and replaces it with an equal one on others.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reelflow.errors import ParamsError, StorageError, disk_errors
from reelflow.files import atomic, link_file, sha256_file, unfinished
from reelflow.settings import Settings

NAME = re.compile(r"(?!.*(^|/)\.)[A-Za-z0-9@._=-]+(/[A-Za-z0-9@._=-]+)*")
BUCKET = re.compile(r"[A-Za-z0-9._-]+")
NO_STORE = "none"


class AlteredError(Exception):
    """An object whose content is not the expected one."""


@dataclass(frozen=True)
class Stored:
    """An object of a store; `modified` is when it was written, in seconds since the epoch."""

    name: str
    size_bytes: int
    modified: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class Fragment:
    """What a writer that was killed, or is at it, has left of an object.

    Attributes:
        name: of the object.
        handle: by which the store finds the fragment.
        size_bytes: 0 where the store does not say.
        modified: when it was begun, or written to, in seconds since the epoch.
    """

    name: str
    handle: str
    size_bytes: int
    modified: float


class ObjectStore(Protocol):
    """Every method raises `StorageError` where the store refuses, is full or not reachable."""

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Write an object to `path`, whole; False if there is none.

        Args:
            name: of the object.
            path: of the file.
            sha256: of what is expected; an object of other content is removed, and counts as none.
        """

    def put_new(self, name: str, path: Path) -> None:
        """Store a file, unless the name is taken."""

    def size_of(self, name: str) -> int | None:
        """Bytes of an object; None if there is none."""

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names begin so, by name."""

    def delete(self, name: str) -> None:
        """Remove an object; one that is gone is no error."""

    def fragments(self) -> Iterator[Fragment]:
        """What is there of objects that are not whole."""

    def discard(self, fragment: Fragment) -> None:
        """Remove a fragment; one that is gone is no error."""


def open_store(settings: Settings) -> ObjectStore | None:
    """The store that `REELFLOW_STORE` names; `none` is none.

    Raises:
        ParamsError: it names neither a folder nor `s3://BUCKET[/PREFIX]`.
    """
    if settings.store == NO_STORE:
        return None
    if settings.store.startswith("s3://"):
        from reelflow.objectstore.s3 import S3Store

        bucket, _, prefix = settings.store.removeprefix("s3://").rstrip("/").partition("/")
        if BUCKET.fullmatch(bucket) and (not prefix or NAME.fullmatch(prefix)):
            return S3Store(bucket, prefix, settings)
    elif "://" not in settings.store:
        return DirectoryStore(Path(settings.store))
    raise ParamsError(f"REELFLOW_STORE is {settings.store!r}: expected a folder, s3://BUCKET/PREFIX, or none")


def checked(name: str) -> str:
    """The name, if it can be one: parts of letters, digits and `@._=-`, none hidden, none a way out.

    Raises:
        StorageError: it cannot.
    """
    if not NAME.fullmatch(name):
        raise StorageError(f"{name!r} is no name of an object: expected letters, digits, @ . _ = - and /")
    return name


class DirectoryStore:
    """Objects are files of a folder; those of the same disk are hard links, which cost no space."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Link or copy an object to `path`."""
        source = self._path(name)
        try:
            with atomic(path) as partial:
                link_file(source, partial)
                if sha256 and sha256_file(partial) != sha256:
                    raise AlteredError
        except FileNotFoundError:
            return False
        except AlteredError:
            self.delete(name)
            return False
        return True

    def put_new(self, name: str, path: Path) -> None:
        """Link or copy a file into the store."""
        target = self._path(name)
        if not target.exists():
            with disk_errors(target), atomic(target) as partial:
                link_file(path, partial)

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        found = self._find(self._path(name))
        return found.size_bytes if found else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names begin so."""
        found = map(self._find, sorted(self._folder.rglob("*")))
        return (one for one in found if one and one.name.startswith(prefix) and NAME.fullmatch(one.name))

    def delete(self, name: str) -> None:
        """Remove an object."""
        path = self._path(name)
        with disk_errors(path):
            path.unlink(missing_ok=True)

    def fragments(self) -> Iterator[Fragment]:
        """The temporary files."""
        for path, of in unfinished(self._folder):
            with suppress(FileNotFoundError):
                stat, name = path.stat(), of.relative_to(self._folder).as_posix()
                yield Fragment(name, path.name, stat.st_size, stat.st_mtime)

    def discard(self, fragment: Fragment) -> None:
        """Remove a temporary file."""
        path = self._path(fragment.name).with_name(fragment.handle)
        with disk_errors(path):
            path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / checked(name)

    def _find(self, path: Path) -> Stored | None:
        """The object of this file, unless another process has removed it meanwhile."""
        with suppress(FileNotFoundError):
            if path.is_file():
                stat = path.stat()
                return Stored(path.relative_to(self._folder).as_posix(), stat.st_size, stat.st_mtime)
        return None
