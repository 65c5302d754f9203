"""Files that are whole or absent: atomic writes, hashes, listings."""

import csv
import errno
import fcntl
import hashlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import get_ident
from typing import BinaryIO

import numpy as np
from numpy.lib.format import dtype_to_descr, write_array_header_1_0
from numpy.typing import DTypeLike, NDArray

from reelflow.durable.sync import sync_file, sync_folder
from reelflow.errors import StorageError, disk_errors
from reelflow.progress import emit

TEMPORARY = ".*.tmp"
UNFINISHED = re.compile(r"\.(?P<name>.+)\.\d+-\d+\.tmp")
LONGEST_NAME_BYTES = 200  # of 255, within a temporary one
COPY_BYTES = 1 << 20
SPARE_BYTES = 16_000_000


def exists(path: Path) -> bool:
    """Whether there is something at `path`; not where the system refuses to say."""
    with suppress(OSError):
        return path.exists()
    return False


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hex sha256 of a text in UTF-8; names of files may hold other bytes too."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def shown_path(path: str) -> str:
    """A path as text; bytes that are not UTF-8 are escaped."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _pass_over(_path: Path, _reason: str) -> None:
    """Say nothing."""


def walk_links(
    top: Path, refuse: Callable[[Path, str], None] = _pass_over
) -> Iterator[tuple[Path, list[str], list[str]]]:
    """As `os.walk`, sorted, links to folders followed, each real folder once.

    A folder inside counts where it lies, unless it is hidden there: then where a link to it lies.

    Args:
        top: the folder; callers may remove names from the folders of a place.
        refuse: is told the folders that are not entered, and why.

    Yields:
        Each place, the names of its folders, and of its files.
    """
    real_top = top.resolve()
    seen: dict[Path, Path] = {real_top: top}

    def is_new(path: Path) -> bool:
        real = path.resolve()
        inside = path.is_symlink() and real.is_relative_to(real_top)
        if inside and not any(part.startswith(".") for part in real.relative_to(real_top).parts):
            refuse(path, f"it is a link to {real.relative_to(real_top)} of this folder, which counts once")
        elif real_top.is_relative_to(real):
            refuse(path, "it is a link to a folder around this one")
        elif (first := seen.setdefault(real, path)) != path:
            refuse(path, f"it is the same folder as {first.relative_to(top)}, which counts once")
        else:
            return True
        return False

    def failed(error: OSError) -> None:
        refuse(Path(error.filename), f"the folder cannot be opened: {error.strerror}")

    for place, folders, names in os.walk(top, followlinks=True, onerror=failed):
        folders.sort()
        yield Path(place), folders, sorted(names)
        folders[:] = [name for name in folders if is_new(Path(place, name))]


def is_readable(path: Path) -> bool:
    """Whether it is a file that this user may read; false for what cannot be looked at."""
    return os.path.isfile(path) and os.access(path, os.R_OK)  # noqa: PTH113


def sha256_readable(path: Path) -> str:
    """Hex sha256 of a file's content; empty for a path that is not a file, or cannot be read to its end."""
    with suppress(OSError):
        return sha256_file(path) if is_readable(path) else ""
    return ""


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder, links to files included; folders that disappear meanwhile are skipped."""
    return sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names)


def unfinished(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Temporary files below a folder, of active or killed writers, each with its target path."""
    for path in files_below(folder):
        if (found := UNFINISHED.fullmatch(path.name)) and path.is_file():
            yield path, path.with_name(found["name"])


def temporary_path(path: Path) -> Path:
    """Where this thread writes a file before it has its name; `UNFINISHED` reads the name back."""
    name = path.name.encode(errors="surrogateescape")[:LONGEST_NAME_BYTES].decode(errors="ignore")
    return path.with_name(f".{name}.{os.getpid()}-{get_ident()}.tmp")


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on success it becomes `path`, else it is removed.

    Raises:
        StorageError: the disk is full or read-only, or there is a device, a pipe or a folder.
    """
    partial = temporary_path(path)
    with disk_errors(path):
        _check_replaceable(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _creating(partial, path):
                yield partial
            sync_file(partial)
            partial.replace(path)
            sync_folder(path.parent)
        finally:
            partial.unlink(missing_ok=True)


@contextmanager
def _creating(file: Path, wanted: Path) -> Iterator[None]:
    """Tell that `file`, of what is `wanted`, cannot be made though its folder is there, as in /proc."""
    try:
        yield
    except FileNotFoundError as error:
        if error.filename != str(file):
            raise
        raise StorageError(
            f"cannot write {wanted}: its folder takes no files: choose another folder"
        ) from error


def _check_replaceable(path: Path) -> None:
    """Refuse to put a file in the place of what is none: root may replace /dev/null, for all programs."""
    try:
        mode = path.stat().st_mode  # asked once: others may write the same file
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return
        raise
    if stat.S_ISREG(mode) or (stat.S_ISDIR(mode) and path.is_symlink()):
        return
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise StorageError(f"cannot write {path}: it is a device or a pipe, not a file: choose another name")


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, or nothing.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a whole file, or nothing.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic(path) as partial:
        partial.write_bytes(content)


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a whole `.npy` file, or nothing.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


@contextmanager
def content_file(content: bytes) -> Iterator[Path]:
    """A temporary file that holds this content."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "content")
        write_bytes(path, content)
        yield path


@contextmanager
def array_file(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> Iterator[BinaryIO]:
    """A file to write an array's rows to, one after another: the result is a complete `.npy` file or no file.

    Raises:
        StorageError: the disk is full or read-only.
    """
    form = {"descr": dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
    with atomic(path) as partial, partial.open("wb") as file:
        write_array_header_1_0(file, form)
        yield file


def link_file(source: Path, target: Path) -> None:
    """Make `target` the same file as `source` where the disk can, else a copy of it."""
    target.unlink(missing_ok=True)  # what a killed process left may be a link: writing to it would alter more
    try:
        os.link(source.resolve(), target)  # not the link that DVC may have put there
    except OSError:
        with source.open("rb") as read, target.open("wb") as written:
            shutil.copyfileobj(read, written, COPY_BYTES)  # copyfile() blames `source` for a full disk


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a whole table, or nothing; lines end as in Unix files.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with atomic(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def check_space(*folders: Path) -> None:
    """Check for a nearly full disk, after a failure without a clear reason.

    Raises:
        StorageError: the disk is nearly full.
    """
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if free < SPARE_BYTES:
            raise StorageError(
                f"only {free / 1e6:.1f} MB are left on the disk of {folder}: "
                "free some space and run the same command again"
            )


@contextmanager
def locked(path: Path, holder: str = "") -> Iterator[None]:
    """Hold an exclusive lock on `path`; waits for another process that holds it.

    Args:
        path: of the lock's file.
        holder: the other process, as `another run in out`, for the notice while waiting.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _creating(path, path), path.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if holder:
                    emit("notice", message=f"waiting for {holder} to end")
                fcntl.flock(file, fcntl.LOCK_EX)
            yield


def is_locked(path: Path) -> bool:
    """Whether somebody holds the lock on `path`."""
    with disk_errors(path), suppress(FileNotFoundError), path.open("r+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def fingerprint(path: Path) -> str:
    """Cheap identity of a file or folder: names, sizes and modification times below it."""
    if path.is_file():
        return sha256_file(path)
    rows: list[str] = []

    def refuse(place: Path, reason: str) -> None:
        rows.append(f"{place.relative_to(path)}\0{reason}")

    for folder, _, names in walk_links(path, refuse):
        here = folder.relative_to(path)
        rows.append(f"{here}/")
        rows += [f"{here / name}\0{_state(folder / name)}" for name in names]
    return sha256_text("\n".join(rows))


def _state(file: Path) -> str:
    """Size, time of change and whether it may be read; of the link itself if its target does not exist."""
    try:
        found = file.stat() if exists(file) else file.lstat()
    except OSError as error:
        return f"{error.strerror}"
    return f"{found.st_size}\0{found.st_mtime_ns}" + ("" if os.access(file, os.R_OK) else "\0unreadable")
