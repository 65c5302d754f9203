"""Objects by name, in a directory or in S3: whole or absent, and verified when read.

Several processes and machines may write to a store at once. An object appears whole, by a rename or by
S3's own rule. A name identifies its content: a second `put_new` keeps the first copy where the server
supports conditional requests, and replaces it with an equal one elsewhere. The few names whose content
changes are written by `replace`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from reelflow.errors import StorageError

NAME = re.compile(r"(?!.*(^|/)\.)[A-Za-z0-9@._=-]+(/[A-Za-z0-9@._=-]+)*")


@dataclass(frozen=True)
class Stored:
    """An object of a store; `modified` is in seconds since the epoch, `etag` is S3's."""

    name: str
    size_bytes: int
    modified: float = field(default=0.0, compare=False)
    etag: str = field(default="", compare=False)


@dataclass(frozen=True)
class IncompleteUpload:
    """What a writer has stored of an object so far.

    Attributes:
        name: of the object.
        size_bytes: 0 if the store does not report it.
        modified: in seconds since the epoch.
        remove: removes it, if it exists; raises `StorageError` if the store refuses.
    """

    name: str
    size_bytes: int
    modified: float
    remove: Callable[[], None]


class ObjectStore(Protocol):
    """Every method raises `StorageError` if the store refuses, is full or cannot be reached."""

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Write a whole object to `path`; False if it does not exist.

        An object whose content does not match `sha256` is removed, and does not exist.
        """

    def read(self, name: str, start: int, size_bytes: int) -> bytes | None:
        """A part of an object, shorter at its end; None if it does not exist. Callers check the content."""

    def put_new(self, name: str, path: Path) -> None:
        """Store a file, unless an object of this name exists."""

    def replace(self, name: str, path: Path) -> None:
        """Store a small file in the place of what has this name: readers find the old or the new content."""

    def size_of(self, name: str) -> int | None:
        """Bytes of an object; None if it does not exist."""

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names start with the prefix, sorted by name."""

    def delete(self, name: str) -> None:
        """Remove an object, if it exists."""

    def incomplete_uploads(self) -> Iterator[IncompleteUpload]:
        """The uploads that have not finished."""


def checked(name: str) -> str:
    """The name, if it is valid: parts of letters, digits and `@._=-`; no part starts with a dot.

    Raises:
        StorageError: it is not.
    """
    if not NAME.fullmatch(name):
        raise StorageError(f"{name!r} is not a name of an object: expected letters, digits, @ . _ = - and /")
    return name


def file_name(kind: str, sha256: str) -> str:
    """The name of a file of shards in a store."""
    return f"{kind}/files/{sha256}"
