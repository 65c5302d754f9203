"""What `make stack` needs of the programs of a stack, however they run."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import BinaryIO, Protocol

from reelflow.errors import StorageError

MOST_CHARS = 2000


class Programs(Protocol):
    """PostgreSQL, the object store and MLflow of one stack."""

    def start(self, *, stores_only: bool = False) -> None:
        """Start what is not running, and wait until it answers; migrate the database before MLflow starts.

        Args:
            stores_only: leave MLflow out.
        """

    def stop(self) -> None:
        """Stop all that is running; data stays."""

    def ended(self) -> str:
        """The reason why MLflow will never answer; empty while it may."""

    def database(
        self, program: str, *options: str, given: BinaryIO | None = None, into: BinaryIO | None = None
    ) -> None:
        """Run one of PostgreSQL's programs on the database, as its owner.

        Args:
            program: its name, as `pg_dump`.
            options: of it.
            given: its standard input.
            into: where its standard output goes.
        """

    def objects(self, folder: Path, *command: str) -> None:
        """Run a command of rclone, in which `FOLDER` stands for a folder and `:s3:` for the object store."""

    def set_admin_password(self) -> None:
        """Give MLflow's admin the password of the settings; MLflow need not run."""


def run(
    command: Sequence[str | Path],
    what: str,
    environment: Mapping[str, str] | None = None,
    given: BinaryIO | None = None,
    into: BinaryIO | None = None,
    user: int | None = None,
) -> None:
    """Run a program that prints nothing unless it fails.

    Args:
        command: the program and its arguments.
        what: the purpose; an error message begins with it.
        environment: all of it; this process's by default.
        given: its standard input.
        into: where its standard output goes.
        user: under which it runs.

    Raises:
        StorageError: it failed, or there is no such program.
    """
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=given or subprocess.DEVNULL,
            stdout=into or PIPE,
            stderr=PIPE,
            user=user,
        )
    except OSError as error:
        raise StorageError(f"{what}: {command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        told = (done.stderr + (done.stdout or b"")).decode(errors="replace").strip()[-MOST_CHARS:]
        raise StorageError(f"{what}: {Path(command[0]).name} ended with {done.returncode}: {told}")
