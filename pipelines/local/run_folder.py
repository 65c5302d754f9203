"""The output folder of a run, locked by one run at a time."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from reelflow.errors import StorageError, disk_errors
from reelflow.files import locked
from reelflow.progress import Event, watched_by

WORK = "work"  # where the outputs of steps are
LOCK = ".lock"  # a folder without it is not an output folder


@contextmanager
def alone_in(out: Path, console: Console) -> Iterator[None]:
    """Lock the folder, create it if necessary; prints a notice while another run holds it.

    Raises:
        StorageError: it cannot be created or written to.
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
        raise StorageError(f"cannot create {out} ({reason}): choose another output folder (--out)") from error
