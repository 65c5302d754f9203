"""`python -m infra.stack` on one folder, and MLflow's clients of what it starts."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.s3_server import free_port

SUPERVISORD = "supervisord.pid"


class Stack:
    """One stack.

    Attributes:
        folder: of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, *options: object) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-m", "infra.stack", command, "--folder", self.folder, *options]
        return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=240)

    def done(self, command: str, *options: object) -> str:
        """What a command prints that succeeds."""
        ended = self.run(command, *options)
        assert ended.returncode == 0, ended.stderr + self.logs()
        assert "Traceback" not in ended.stderr
        return ended.stdout

    def refused(self, command: str, *options: object) -> tuple[int, str]:
        """Exit code and message of a command that fails."""
        ended = self.run(command, *options)
        assert ended.returncode
        assert ended.stderr.startswith("error: "), ended.stderr
        return ended.returncode, ended.stderr

    def up(self, *options: object) -> str:
        port = () if (self.folder / "stack.env").exists() else ("--port", free_port(), "--kind", "processes")
        return self.done("up", *port, *options)

    @property
    def client_variables(self) -> dict[str, str]:
        """Of the admin."""
        return dict(line.split("=", 1) for line in (self.folder / "client.env").read_text().splitlines())

    @property
    def project(self) -> str:
        """The name of its containers."""
        (line,) = (
            one for one in (self.folder / "stack.env").read_text().splitlines() if one.startswith("PROJECT=")
        )
        return line.removeprefix("PROJECT=")

    @property
    def secrets(self) -> list[str]:
        """Every word that nobody else may see."""
        lines = (line.split("=", 1) for line in (self.folder / "stack.env").read_text().splitlines())
        return [value for name, value in lines if name.endswith(("PASSWORD", "SECRET", "KEY"))]

    @property
    def processes(self) -> list[psutil.Process]:
        """supervisord and all below it."""
        root = psutil.Process(int((self.folder / SUPERVISORD).read_text()))
        return [root, *root.children(recursive=True)]

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace") for path in self.folder.glob("logs/*.log"))


@contextmanager
def logged_in(variables: dict[str, str]) -> Iterator[MlflowClient]:
    """A client of MLflow with these variables, which no other test sees."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        yield MlflowClient(variables["MLFLOW_TRACKING_URI"])


def account(printed: str) -> dict[str, str]:
    """The variables that `user` prints."""
    lines = printed.splitlines()
    assert all(line.startswith("export ") for line in lines)
    return dict(line.removeprefix("export ").split("=", 1) for line in lines)


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may read it."""
    return not path.stat().st_mode & 0o077 and path.stat().st_uid == os.getuid()
