"""A real MLflow server in a process of its own, which tests stop and start again."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

START_S = 120


class MlflowServer:
    """A server on sqlite; the same port and database after every start.

    Args:
        folder: of its database, artifacts and log.
        options: further ones of `mlflow server`.
        scheme: `https` if the options give uvicorn a certificate.
    """

    def __init__(self, folder: Path, options: Sequence[str] = (), scheme: str = "http") -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self._options = folder, options
        self.address = f"{scheme}://{'localhost' if scheme == 'https' else '127.0.0.1'}:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--backend-store-uri", f"sqlite:///{self.folder / 'server.db'}", "--workers", "1"]
        command += ["--artifacts-destination", str(self.folder / "store"), *self._options]
        own = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=os.environ | own | environment
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "server.log").read_text()
            assert self._process.poll() is None, (self.folder / "server.log").read_text()
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill it with its workers."""
        if self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        context = ssl._create_unverified_context() if self.address.startswith("https") else None
        try:
            with urlopen(f"{self.address}/health", timeout=1, context=context):
                return True
        except HTTPError:
            return True
        except (URLError, OSError):
            return False


@contextmanager
def mlflow_server(
    folder: Path, database: Path | None = None, options: Sequence[str] = ()
) -> Iterator[MlflowServer]:
    """A running server; `database` is copied, which is quicker than making one."""
    if database:
        (folder / "server.db").write_bytes(database.read_bytes())
    server = MlflowServer(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
