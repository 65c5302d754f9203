"""Shared by all command lines: errors become one message and an exit code, never a traceback."""

import atexit
import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import typer

from reelflow.errors import DISK_ADVICE, ReelflowError, StorageError

INTERRUPTED = 130  # typer's exit code for a KeyboardInterrupt
LAYOUT = "\n\t"
LONGEST_TMPDIR_BYTES = 56  # of 107 that a socket's path may have; the rest is what libraries append
SHORT_TMPDIR = "/tmp"  # noqa: S108
TEMPORARY = ("TMPDIR", "TEMP", "TMP")  # where Python looks


def run_command(command: Callable[..., Any] | typer.Typer) -> NoReturn:
    """Run a typer command, or a plain function as one; `reelflow.errors` documents the exit codes."""
    _prepare_environment()
    try:
        _as_app(command)(standalone_mode=True)
    except ReelflowError as error:
        print(f"error: {printable(str(error), keep=LAYOUT)}", file=sys.stderr)  # noqa: T201
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in DISK_ADVICE or error.filename is None:
            raise
        told = f"{error.filename} cannot be used ({error.strerror}): correct the path, or its permissions"
        print(f"error: {printable(told)}", file=sys.stderr)  # noqa: T201
        sys.exit(StorageError.exit_code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            print("stopped; run the same command again to resume", file=sys.stderr)  # noqa: T201
        raise
    sys.exit(0)


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
