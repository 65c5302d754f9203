"""Every error that reelflow raises on purpose.

ReelflowError                exit code 1
├── ParamsError              2  a value in params.yaml or on the command line
├── DataError                3  the clips as a whole: none usable, too few, contradicting
│   └── ClipError            3  one clip; steps quarantine it and continue
├── WeightsError             4  a weight file: missing, wrong sha256, not reachable
├── BundleError              5  a bundle or a step's output: damaged, foreign, not trusted
├── StorageError             6  the disk: read-only, full, not permitted
├── TrackingError            7  MLflow: not reachable, not migrated
│   └── RegistryError        7  the registry, at the end of a run whose other results are complete
├── StepError                8  a step's process exited without an error message
├── ClusterError             9  the Kubeflow API: unreachable, refused, or not found
├── ChannelError            11  an update channel: not reachable, not trusted, or it cannot be signed
└── PromotionError          12  a promotion that is refused: gates, a held model, a broken journal
    └── ChampionMovedError  12  another process moved the champion meanwhile

A message says what was found, what was expected, and what to do next.
"""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path


class ReelflowError(Exception):
    """Root of the tree; `exit_code` is what a command ends with.

    Attributes:
        may_pass: a server is away or overloaded: the same work may succeed later.
    """

    exit_code = 1
    may_pass = False


class ParamsError(ReelflowError):
    """A value in params.yaml or on the command line cannot be used."""

    exit_code = 2


class DataError(ReelflowError):
    """The clips as a whole cannot be used."""

    exit_code = 3


class ClipError(DataError):
    """One clip cannot be used."""


class WeightsError(ReelflowError):
    """A weight file is missing, altered or not reachable."""

    exit_code = 4


class BundleError(ReelflowError):
    """A bundle, or a step's output, is damaged or not trusted."""

    exit_code = 5


class StorageError(ReelflowError):
    """The disk refused: read-only, full, not permitted."""

    exit_code = 6


class TrackingError(ReelflowError):
    """MLflow refused or is not reachable."""

    exit_code = 7


class RegistryError(TrackingError):
    """The registry refused a bundle; everything else is finished.

    Attributes:
        output: the step's folder, which is complete; set by the code that keeps it.
    """

    output: Path | None = None


class StepError(ReelflowError):
    """A step's process exited without an error message."""

    exit_code = 8


class ClusterError(ReelflowError):
    """The Kubeflow Pipelines API refused or is not reachable."""

    exit_code = 9


class ChannelError(ReelflowError):
    """An update channel is not reachable (`may_pass`), or its content is not trusted."""

    exit_code = 11


class PromotionError(ReelflowError):
    """A champion is not moved: gates are not passed, the model is held, or its journal is broken."""

    exit_code = 12


class ChampionMovedError(PromotionError):
    """Another process wrote the next entry of the journal, so the decision is out of date."""


DISK_ADVICE = {
    errno.ENOSPC: "the disk is full: free some space and run the same command again",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EFBIG: "the file is larger than allowed here: raise the limit or choose another output folder",
    errno.EROFS: "the file system is read-only: choose another output folder",
    errno.EACCES: "permission denied: choose another output folder or change its owner",
    errno.ENOTDIR: "a part of the path is a file, not a folder: choose another output folder",
    errno.EEXIST: "a part of the path is a file, not a folder, or a dead link: choose another output folder",
    errno.EISDIR: "there is a folder of this name: choose another name",
    errno.ELOOP: "its links lead in a circle: choose another output folder",
    errno.ENAMETOOLONG: "the name is too long: choose another output folder, with a shorter name",
    errno.EIO: "the disk failed: choose another output folder",
    errno.EPERM: "not permitted: choose another output folder or change its owner",
}


OUTPUT = "choose another output folder"
_instead: ContextVar[str] = ContextVar("instead", default=OUTPUT)


@contextmanager
def advising(instead: str) -> Iterator[None]:
    """Replace the advice "choose another output folder" while this block writes something else."""
    token = _instead.set(instead)
    try:
        yield
    finally:
        _instead.reset(token)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system at `path` into a `StorageError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ADVICE:
            raise
        where = error.filename or path
        advice = DISK_ADVICE[error.errno].replace(OUTPUT, _instead.get())
        raise StorageError(f"cannot write {where}: {advice}") from error


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and what it was raised for, to the root."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def some_of(names: Sequence[str], shown: int) -> str:
    """Names for a message: the first `shown`, and the number of the others."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more
