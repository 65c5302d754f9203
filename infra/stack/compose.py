"""A stack of containers: `infra/compose.yaml`."""

import os
import subprocess
from pathlib import Path
from typing import BinaryIO

from infra.stack import server
from infra.stack.programs import run
from infra.stack.settings import DATABASE, SETTINGS, StackSettings
from reelflow import __version__
from reelflow.errors import ParamsError

FILE = Path(__file__).resolve().parent.parent / "compose.yaml"
IMAGE = f"reelflow-mlflow:{__version__}"
WAIT_S, ANSWER_S = "300", 30
STORES = ("postgres", "object-store")


class Containers:
    """The programs of a stack in containers.

    Args:
        folder: of the stack: settings alone; data is in Docker's volumes.
        settings: of the stack.

    Raises:
        ParamsError: there is no Compose, no engine that answers, or no image of MLflow.
    """

    def __init__(self, folder: Path, settings: StackSettings) -> None:
        self._folder = folder
        self._compose = ["docker", "compose", "--file", str(FILE), "--env-file", str(folder / SETTINGS)]
        self._compose += ["--project-name", settings.project]
        self._settings = settings
        if not has_compose():
            raise ParamsError(
                "docker compose does not work here: start Docker, or install its Compose plugin"
            )

    def start(self, *, stores_only: bool = False) -> None:
        """Start what is not running."""
        if _fails("docker", "image", "inspect", IMAGE):
            raise ParamsError(f"no image {IMAGE}: make images IMAGES=mlflow")
        wanted = STORES if stores_only else ()
        self._run("start", "up", "--detach", "--wait", "--wait-timeout", WAIT_S, *wanted)

    def stop(self) -> None:
        """Stop what is running."""
        self._run("stop", "down")

    def ended(self) -> str:
        """Why MLflow will never answer."""
        return ""  # `up --wait` has told it

    def database(
        self, program: str, *options: str, given: BinaryIO | None = None, into: BinaryIO | None = None
    ) -> None:
        """Run one of PostgreSQL's programs."""
        inside = [f"--env=PGUSER={DATABASE}", "postgres", program, *options]
        run([*self._compose, "exec", "-T", *inside], "database", self._environment(), given=given, into=into)

    def objects(self, folder: Path, *command: str) -> None:
        """Run a command of rclone."""
        known = [one.replace("FOLDER", "/backup") for one in command]
        user = f"--user={os.getuid()}:{os.getgid()}"
        mount = f"--volume={folder}:/backup"
        options = ["run", "--rm", "--no-deps", "-T", user, mount, "--entrypoint=rclone", "bucket"]
        run([*self._compose, *options, *known], "object store", self._environment())

    def set_admin_password(self) -> None:
        """Give MLflow's admin the password of the settings."""
        options = ["run", "--rm", "--no-deps", "-T", "mlflow", "python", "-c", server.NEW_ADMIN]
        run([*self._compose, *options], "admin's password", self._environment())

    def _run(self, what: str, *options: str) -> None:
        run([*self._compose, *options], f"{what} of the stack", self._environment())

    def _environment(self) -> dict[str, str]:
        return os.environ | {"MLFLOW_IMAGE": IMAGE}


def has_compose() -> bool:
    """Whether Docker answers here and has Compose."""
    return not (_fails("docker", "compose", "version") or _fails("docker", "info"))


def _fails(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=ANSWER_S).returncode != 0
    except (OSError, subprocess.TimeoutExpired):
        return True
