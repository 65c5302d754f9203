"""A real S3 server for tests: `rclone serve s3` over a folder."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

ACCESS_KEY, SECRET_KEY = "tester", "tester-secret"
BUCKET = "bucket"
SERVERS = ("rclone", pytest.param("radosgw", marks=pytest.mark.s3))


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def credentials(patch: pytest.MonkeyPatch) -> None:
    """Put the servers' credentials into the environment, and no others."""
    patch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    patch.setenv("AWS_CONFIG_FILE", os.devnull)
    patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    patch.delenv("AWS_DEFAULT_REGION", raising=False)


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
            wait(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def wait(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Until the server takes connections."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{server.args} did not start: {log.read_text()}")
