"""Programs that a build runs."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

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
    try:
        done = subprocess.run(
            command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ReelflowError(f"{what}: there is no program {error.filename}; install it") from error
    if done.returncode:
        told = "\n\t".join(done.stdout.strip().splitlines()[-20:])
        raise ReelflowError(f"{what}: {command[0]} ended with {done.returncode}:\n\t{told}")


def ask(*command: str) -> str:
    """What a command prints; nothing if it fails."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
