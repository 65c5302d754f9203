"""Shared by all command lines: errors become one message and an exit code, never a traceback."""

import atexit
import errno
import os
import re
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer

from reelflow.errors import DISK_ADVICE, ParamsError, ReelflowError, StorageError
from reelflow.workers.ending import end_quickly

INTERRUPTED = 130  # typer's exit code for a KeyboardInterrupt
LAYOUT = "\n\t"
LAST_STANDARD_STREAM = 2
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
LONGEST_TMPDIR_BYTES = 56  # of 107 that a socket's path may have; the rest is what libraries append
SHORT_TMPDIR = "/tmp"  # noqa: S108
DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST_DURATION_S = 100 * 365 * 86400  # more overflows what adds it to dates
TEMPORARY = ("TMPDIR", "TEMP", "TMP")  # where Python looks


def run_command(command: Callable[..., Any] | typer.Typer) -> NoReturn:
    """Run a typer command, or a plain function as one; `reelflow.errors` documents the exit codes."""
    _occupy_standard_streams()
    _prepare_environment()
    end_quickly()
    try:
        _as_app(command)(standalone_mode=True)
    except ReelflowError as error:
        tell(f"error: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in DISK_ADVICE or (error.filename is None and error.errno not in FULL):
            raise
        tell(f"error: {_refused(error)}")
        sys.exit(StorageError.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            tell("stopped; run the same command again to resume")
        raise
    sys.exit(0)


def start_quickly() -> None:
    """Spare a short command what it has no use for (figures: docs/edge.md)."""
    # pydantic would read the metadata of every installed package, to find plugins of its own
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # OpenBLAS would start threads that wait for each other: a device multiplies no matrices with numpy
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def seconds_of(text: str, option: str) -> float:
    """A duration such as 90s, 15m, 6h or 1d, in seconds.

    Raises:
        ParamsError: it is none.
    """
    found = DURATION.fullmatch(text)
    seconds = float(found[1]) * SECONDS[found[2]] if found else 0.0
    if not 0 < seconds <= LONGEST_DURATION_S:
        raise ParamsError(
            f"{option} {printable(text)}: expected a time above 0, as 90s, 15m, 6h or 1d, and "
            "100 years at most"
        )
    return seconds


def tell(text: str) -> None:
    """Tell people something on stderr. If the disk behind it is full, this alone is lost."""
    try:
        print(printable(text, keep=LAYOUT), file=sys.stderr, flush=True)  # noqa: T201
    except OSError:
        sys.stderr = _unwritten_anew(2)


def _refused(error: OSError) -> str:
    """What the disk refused; writing to a stream names no file."""
    if error.filename is not None:
        return f"{error.filename} cannot be used ({error.strerror}): correct the path, or its permissions"
    if sys.stdout:
        sys.stdout = _unwritten_anew(1)
    return f"the output cannot be written ({error.strerror}): {DISK_ADVICE[error.errno or 0]}"


def _unwritten_anew(number: int) -> TextIO:
    """A standard stream without what it could not write: that would fail again when Python ends."""
    return open(number, "w", closefd=False)


def _occupy_standard_streams() -> None:
    """Let no file take the number of a standard stream that is closed: native code writes there."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= LAST_STANDARD_STREAM:
        pass
    os.close(number)
    sys.stderr = sys.stderr or _unwritten_anew(2)


def _prepare_environment() -> None:
    """Give libraries a home, if the user has none, and a temporary folder with room for a socket's path."""
    with suppress(OSError):  # there is no place for one: only what needs it fails
        try:
            Path.home()
        except RuntimeError:
            os.environ["HOME"] = tempfile.gettempdir()
        # gettempdir() writes a file, so that it is not called without need
        if any(map(_is_long, filter(None, map(os.environ.get, TEMPORARY)))):
            found = tempfile.gettempdir()
            if _is_long(found):
                tempfile.tempdir = os.environ["TMPDIR"] = _short_name(found)


def _is_long(folder: str) -> bool:
    return len(os.fsencode(folder)) > LONGEST_TMPDIR_BYTES


def _short_name(folder: str) -> str:
    """A link to a folder, whose name is short; it goes with this process."""
    link, owner = f"{SHORT_TMPDIR}/reelflow-{secrets.token_hex(4)}", os.getpid()
    Path(link).symlink_to(folder)

    def remove() -> None:
        if os.getpid() == owner:  # not in its forks
            Path(link).unlink(missing_ok=True)

    atexit.register(remove)
    return link


def printable(text: str, *, keep: str = "") -> str:
    """Escape control characters: a file name may hold any character.

    Args:
        text: the text to show.
        keep: characters to keep besides the printable ones.
    """
    return "".join(
        letter if letter.isprintable() or letter in keep else ascii(letter)[1:-1] for letter in text
    )


def _as_app(command: Callable[..., Any] | typer.Typer) -> typer.Typer:
    if isinstance(command, typer.Typer):
        return command
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    return app
