"""Objects as files of a directory."""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from reelflow.errors import StorageError, advising, disk_errors
from reelflow.files import atomic, link_file, sha256_file, unfinished
from reelflow.objectstore.interface import NAME, IncompleteUpload, Stored, checked

PLACE = "name another store in REELFLOW_STORE"


class DirectoryStore:
    """Files are hard links where the disk is the same, so that they use no space twice."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Link or copy an object to `path`."""
        source = self._path(name)
        with suppress(FileNotFoundError), atomic(path) as temporary:
            if sha256 and sha256_file(source) != sha256:
                self.delete(name)
            link_file(source, temporary)
            return True
        return False

    def read(self, name: str, start: int, size_bytes: int) -> bytes | None:
        """A part of an object."""
        try:
            with suppress(FileNotFoundError), self._path(name).open("rb", buffering=0) as file:
                file.seek(start)
                return file.read(size_bytes)
        except OSError as error:
            raise StorageError(f"{self._path(name)} cannot be read: {error.strerror}; {PLACE}") from error
        return None

    def put_new(self, name: str, path: Path) -> None:
        """Link or copy a file into the store."""
        target = self._path(name)
        if not target.exists():
            with advising(PLACE), atomic(target) as temporary:
                link_file(path, temporary)

    def replace(self, name: str, path: Path) -> None:
        """Copy a file into the store, whatever is there."""
        target = self._path(name)
        with advising(PLACE), atomic(target) as temporary:
            shutil.copyfile(path, temporary)

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        found = self._find(self._path(name))
        return found.size_bytes if found else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names start with the prefix."""
        found = map(self._find, sorted(self._folder.rglob("*")))
        return (one for one in found if one and one.name.startswith(prefix) and NAME.fullmatch(one.name))

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._remove(self._path(name))

    def incomplete_uploads(self) -> Iterator[IncompleteUpload]:
        """The temporary files."""
        for path, of in unfinished(self._folder):
            if found := self._find(path):
                name, remove = of.relative_to(self._folder).as_posix(), partial(self._remove, path)
                yield IncompleteUpload(name, found.size_bytes, found.modified, remove)

    def _path(self, name: str) -> Path:
        return self._folder / checked(name)

    def _find(self, path: Path) -> Stored | None:
        """The object of this file; None if another process removes it meanwhile."""
        with suppress(FileNotFoundError):
            if path.is_file():
                stat = path.stat()
                return Stored(path.relative_to(self._folder).as_posix(), stat.st_size, stat.st_mtime)
        return None

    def _remove(self, path: Path) -> None:
        with advising(PLACE), disk_errors(path):
            path.unlink(missing_ok=True)
