"""A temporary folder of a run's own: kfp, DVC, MLflow and TensorFlow leave files in theirs.

It lies where the system wants such folders, for names of sockets in it must be short, and the disk of the
results may be slow, or know no sockets. Its owner holds a lock in it as long as it lives: what killed runs
have left is removed by the next one.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from reelflow.errors import StorageError, disk_errors

PREFIX, LOCK = "reelflow-", ".reelflow.lock"
VARIABLE = "TMPDIR"


@contextmanager
def own_temporary() -> Iterator[Path]:
    """Give this process, and all that it starts, a temporary folder that goes with the block.

    Raises:
        StorageError: there is no place for one.
    """
    place, set_before = _place(), os.environ.get(VARIABLE)
    _clear(Path(place))
    with _held_folder(place) as folder:
        tempfile.tempdir = os.environ[VARIABLE] = str(folder)
        try:
            yield folder
        finally:
            tempfile.tempdir = place
            os.environ.pop(VARIABLE)
            os.environ |= {VARIABLE: set_before} if set_before is not None else {}
            shutil.rmtree(folder, ignore_errors=True)
            _clear(Path(place))  # this run has waited for steps that had outlived a killed one


def _place() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        raise StorageError(
            f"no folder for temporary files can be written to: free some space, or set {VARIABLE} to another"
        ) from None


@contextmanager
def _held_folder(place: str) -> Iterator[Path]:
    with disk_errors(Path(place)):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    new = folder / "new"
    with new.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        new.rename(folder / LOCK)  # nobody ever sees it without its lock
        yield folder


def _clear(place: Path) -> None:
    """Remove the folders of runs that were killed, once the steps that outlived them have ended too."""
    for lock in place.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if lock.parent.lstat().st_uid == os.getuid() and not _is_used(lock.parent):
                shutil.rmtree(lock.parent, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether a process has it as its temporary folder."""
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # of another user, or ended meanwhile
            if process.environ().get(VARIABLE) == str(folder):
                return True
    return False
