"""The folder of a run's results: made, and held by one run at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from reelflow.errors import StorageError, disk_errors
from reelflow.files import locked
from reelflow.progress import Event, watched_by

LOCK = ".lock"  # a folder without it has held no results


@contextmanager
def alone_in(out: Path, console: Console) -> Iterator[None]:
    """Hold the folder, which is made if need be; says so while another run has it.

    Raises:
        StorageError: it cannot be made, or written to.
    """
    _make(out)

    def show(event: Event) -> None:
        console.print(event["message"], markup=False, highlight=False, soft_wrap=True)

    with ExitStack() as held:
        with watched_by(show):
            held.enter_context(locked(out / LOCK, f"another run in {out}"))
        yield


def _make(out: Path) -> None:
    try:
        with disk_errors(out):
            out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or error
        raise StorageError(f"cannot make {out} ({reason}): choose another output folder (--out)") from error
