"""A real S3 server for tests: `rclone serve s3` over a folder."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ACCESS_KEY, SECRET_KEY = "tester", "tester-secret"


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@contextmanager
def rclone_s3(folder: Path, *buckets: str) -> Iterator[str]:
    """The endpoint of a server whose buckets are folders of `folder`."""
    for bucket in buckets:
        (folder / bucket).mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [Path(sys.executable).with_name("rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"]
    command += ["--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", "--config", "", str(folder)]
    log = folder.parent / f"rclone-{port}.log"
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output) as server:
        try:
            _wait(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"rclone did not start: {log.read_text()}")
