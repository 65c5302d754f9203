"""Programs that a build runs."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, STDOUT
from tempfile import TemporaryFile
from typing import Any

from reelflow.errors import ReelflowError


def run(command: Sequence[str | Path], what: str, given: str = "") -> None:
    """Run a command that prints nothing unless it fails.

    Args:
        command: the program and its arguments.
        what: the purpose; an error message begins with it.
        given: on standard input.

    Raises:
        ReelflowError: it failed, or there is no such program.
    """
    with _program(what):
        done = subprocess.run(command, input=given, stdout=PIPE, stderr=STDOUT, text=True, check=False)
    if done.returncode:
        told = _last_lines(done.stdout)
        raise ReelflowError(f"{what}: {command[0]} ended with {done.returncode}:\n\t{told}")


def pipe(producer: Sequence[str], consumer: Sequence[str], what: str) -> None:
    """Run two commands, the second of which reads what the first prints.

    Args:
        producer: a program and its arguments.
        consumer: likewise.
        what: the purpose; an error message begins with it.

    Raises:
        ReelflowError: one of them failed, or there is no such program.
    """
    with TemporaryFile() as told, _program(what), _started(producer, PIPE, told) as first:
        with _started(consumer, told, told, stdin=first.stdout) as second:
            first.stdout.close()  # type: ignore[union-attr]  # the first ends if the second does
        codes = {consumer[0]: second.returncode, producer[0]: first.wait()}
        failed = next((f"{name} ended with {code}" for name, code in codes.items() if code), "")
        told.seek(0)
        if failed:
            raise ReelflowError(f"{what}: {failed}:\n\t{_last_lines(told.read().decode(errors='replace'))}")


def ask(*command: str) -> str:
    """What a command prints; nothing if it fails, or if there is no such program."""
    with suppress(FileNotFoundError):
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    return ""


@contextmanager
def _program(what: str) -> Iterator[None]:
    """Translate the error of a missing program."""
    try:
        yield
    except FileNotFoundError as error:
        raise ReelflowError(f"{what}: there is no program {error.filename}; install it") from error


def _started(command: Sequence[str], stdout: Any, stderr: Any, stdin: Any = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)


def _last_lines(text: str) -> str:
    return "\n\t".join(text.strip().splitlines()[-20:])
