"""A channel that is one bundle in a tar file, brought and verified by another updater (Mender, RAUC)."""

import hashlib
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

import pydantic

from reelflow.edge.bundle import SAFE_NAME
from reelflow.edge.seal import SUMS
from reelflow.edge.update.channel.documents import (
    MAX_LISTED,
    MAX_LISTED_BYTES,
    BundleListing,
    ListedFile,
    Rollout,
)
from reelflow.errors import BundleError, disk_errors

MAKE_ONE = "make it by tar -C BUNDLE -cf FILE ."
DAMAGED = (tarfile.TarError, ValueError, OverflowError, MemoryError)
"""What `tarfile` raises; the last three for headers with numbers that it does not check."""


class ArchiveChannel:
    """The bundle of a tar file: `reelflow.edge.update.agent.agent.Channel`.

    Without compression, so that nothing in it is larger than it looks. Folders are passed over; links and
    devices, and names that lead elsewhere, are refused.
    """

    def __init__(self, archive: Path) -> None:
        """Read the names and hashes.

        Raises:
            BundleError: it is no such file, or holds what no bundle has.
        """
        self._archive = archive
        try:
            with self._opened() as tar:
                files = tuple(self._listed(tar, member, name) for member, name in self._members(tar))
            self._listing = BundleListing(
                id=self._sums_of(files), model_name=archive.stem[:200], version=0, files=files
            )
        except pydantic.ValidationError as error:
            raise BundleError(f"{archive}: {error.errors()[0]['msg']}; {MAKE_ONE}") from error

    @property
    def bundle(self) -> str:
        """Id of the bundle."""
        return self._listing.id

    def refresh(self) -> Rollout:
        """The bundle, for every device."""
        return Rollout(number=1, bundle=self.bundle, percent=100, state="done")

    def listing(self, bundle_id: str) -> BundleListing:  # noqa: ARG002
        """The files of the bundle."""
        return self._listing

    def download(self, listing: BundleListing, into: Path, have: Sequence[Path]) -> None:  # noqa: ARG002
        """Unpack the files.

        Raises:
            BundleError: the file has changed since it was read.
            StorageError: the disk is full or read-only.
        """
        sizes = {file.path: file.size_bytes for file in listing.files}
        with self._opened() as tar, disk_errors(into):
            for member, name in self._members(tar):
                if sizes.get(name) != member.size:
                    raise BundleError(f"{self._archive} has changed while it was read")
                target = into / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with _content(tar, member) as given, target.open("wb") as taken:
                    shutil.copyfileobj(given, taken)

    def _sums_of(self, files: Sequence[ListedFile]) -> str:
        found = next((file.sha256 for file in files if file.path == SUMS), None)
        if found is None:
            raise BundleError(f"{self._archive} holds no {SUMS}: it must be a sealed bundle; {MAKE_ONE}")
        return found

    @contextmanager
    def _opened(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self._archive, "r:") as tar:
                yield tar
        except pydantic.ValidationError:  # of what was read
            raise
        except DAMAGED as error:
            why = str(error) or type(error).__name__
            raise BundleError(
                f"{self._archive} is not a tar file without compression: {why}; {MAKE_ONE}"
            ) from error
        except OSError as error:
            raise BundleError(f"{self._archive}: {error.strerror}") from error

    def _members(self, tar: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
        """The files, with their names in the bundle."""
        count = size_bytes = 0
        for member in tar:
            if member.isdir():
                continue
            name = member.name.removeprefix("./")
            if not member.isreg() or member.issparse():
                raise BundleError(f"{self._archive}: {name!r} is not a plain file")
            if not SAFE_NAME.fullmatch(name):
                raise BundleError(f"{self._archive}: {name!r} is not a plain name inside a bundle")
            count, size_bytes = count + 1, size_bytes + member.size
            if count > MAX_LISTED or size_bytes > MAX_LISTED_BYTES:
                raise BundleError(f"{self._archive} is too large: {count} files, {size_bytes} bytes so far")
            yield member, name

    def _listed(self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> ListedFile:
        with _content(tar, member) as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return ListedFile(path=name, sha256=sha256, size_bytes=member.size)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BufferedReader:
    file = tar.extractfile(member)
    if not isinstance(file, BufferedReader):
        raise BundleError(f"{member.name!r} cannot be read")
    return file
