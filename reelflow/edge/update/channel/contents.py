"""The files of a bundle: from bundles that this device has, from an earlier attempt, or from the channel."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import copyfileobj, disk_usage

from reelflow.durable.sync import sync_file, sync_tree
from reelflow.edge.update.channel.documents import BundleListing, ListedFile
from reelflow.errors import StorageError, disk_errors
from reelflow.files import COPY_BYTES, SPARE_BYTES, files_below, sha256_file

PART = ".part"
Fetch = Callable[[ListedFile, Path], None]
"""Completes a partial file and verifies it."""


def bring(listing: BundleListing, into: Path, have: Sequence[Path], fetch: Fetch) -> None:
    """Make `into` hold exactly the listed files, verified and on the disk.

    Args:
        listing: the files.
        into: a folder of this purpose; it may hold what an earlier attempt brought.
        have: folders that may hold equal files.
        fetch: brings what no folder has.

    Raises:
        StorageError: the disk is full or read-only.
        ChannelError: of `fetch`.
    """
    with disk_errors(into):
        into.mkdir(parents=True, exist_ok=True)
        missing = [file for file in listing.files if not _is(into / file.path, file)]
        _check_room(missing, into)
        for file in missing:
            if not _copied(file, into, have):
                _bring(file, into, fetch)
        _remove_others(listing, into)
        sync_tree(into)


def _bring(file: ListedFile, into: Path, fetch: Fetch) -> None:
    part = _part(file, into)
    fetch(file, part)
    _put(part, into / file.path)


def _copied(file: ListedFile, into: Path, have: Sequence[Path]) -> bool:
    """Copy a file from a folder that has one of this content.

    No link: what harms a file on the disk must not harm two bundles.
    """
    for source in _of_size(have, file.size_bytes):
        if _is(source, file):
            part = _part(file, into)
            with source.open("rb") as read, part.open("wb") as written:
                copyfileobj(read, written, COPY_BYTES)
            _put(part, into / file.path)
            return True
    return False


def _of_size(folders: Sequence[Path], size_bytes: int) -> Iterator[Path]:
    for folder in folders:
        for path in files_below(folder):
            with suppress(OSError):
                if path.stat().st_size == size_bytes:
                    yield path


def _is(path: Path, file: ListedFile) -> bool:
    """Whether a file has the listed content; not where it cannot be read."""
    try:
        whole = not path.is_symlink() and path.is_file() and path.stat().st_size == file.size_bytes
        return whole and sha256_file(path) == file.sha256
    except OSError:
        return False


def _part(file: ListedFile, into: Path) -> Path:
    """Where a file grows; named by its content, so that no attempt continues another content."""
    return into / f".{file.sha256}{PART}"


def _put(part: Path, path: Path) -> None:
    sync_file(part)
    path.parent.mkdir(parents=True, exist_ok=True)
    part.replace(path)


def _check_room(missing: Sequence[ListedFile], into: Path) -> None:
    """Before the first byte: a full disk harms whatever else the device does.

    Raises:
        StorageError: the missing files do not fit.
    """
    need = sum(file.size_bytes for file in missing) + SPARE_BYTES
    free = disk_usage(into).free + sum(_size(_part(file, into)) for file in missing)
    if missing and free < need:
        raise StorageError(
            f"{free / 1e6:.1f} MB are free on the disk of {into}, the update needs {need / 1e6:.1f} MB: "
            "free some space and run the same command again"
        )


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0


def _remove_others(listing: BundleListing, into: Path) -> None:
    """Remove what is not listed: parts, and files of an attempt at another bundle."""
    listed = {into / file.path for file in listing.files}
    for path in files_below(into):
        if path not in listed:
            path.unlink()
