"""A container that stands for a device: Debian of `infra/edge/device-root.sh`, and what `make wheel` made."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine import docker, engine_answers
from tests.reelflow.edge.camera.http_camera import wait_for
from tests.workplace import ROOT

DIST = ROOT / "dist"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP = {"PIP_CERT", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_DEFAULT_TIMEOUT"}
SYSTEMD = (  # capabilities that systemd needs as the first process of a container
    "--cap-add=SYS_ADMIN",
    "--cap-add=NET_ADMIN",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--cgroupns=host",
    "--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw",
    "--env=container=docker",
    "--tmpfs=/run",
    "--tmpfs=/tmp",
)


class Device:
    """Runs commands in the container."""

    def __init__(self, container: str) -> None:
        self._container = container

    def run(self, *command: object, timeout_s: float = 300) -> "subprocess.CompletedProcess[str]":
        variables = [f"--env={name}={value}" for name, value in os.environ.items() if name in PIP]
        arguments = [*variables, self._container, *map(str, command)]
        return docker("exec", *arguments, timeout=timeout_s)

    def out(self, *command: object, timeout_s: float = 300) -> str:
        """The output of a command that succeeds."""
        done = self.run(*command, timeout_s=timeout_s)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def copy(self, source: Path, target: str) -> None:
        done = docker("cp", f"{source}", f"{self._container}:{target}")
        assert done.returncode == 0, done.stdout

    def write(self, target: str, text: str) -> None:
        self.out("sh", "-c", 'umask 077; printf %s "$1" >"$2"', "sh", text, target)


def await_boot(found: Device) -> None:
    """Wait until systemd, its first process, has started everything."""
    wait_for(lambda: found.run("systemctl", "is-system-running").stdout.strip() == "running", 60)


@contextmanager
def device(architecture: str, *options: str, command: tuple[str, ...]) -> Iterator[Device]:
    """A started device with the files of `make wheel` in /root/dist.

    Args:
        architecture: as Debian calls it.
        options: of `docker run`.
        command: its first process.
    """
    if not engine_answers():
        pytest.skip("no Docker engine answers")
    build = subprocess.run(
        [ROOT / "infra/edge/device-root.sh", architecture], capture_output=True, text=True, check=False
    )
    assert build.returncode == 0, build.stderr[-2000:]
    image = f"reelflow-device:bookworm-{architecture}"
    certificates = f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"
    started = docker("run", "--detach", "--network=host", certificates, *options, image, *command)
    assert started.returncode == 0, started.stdout
    container = started.stdout.split()[-1]
    try:
        found = Device(container)
        found.copy(DIST, "/root/dist")
        yield found
    finally:
        docker("rm", "--force", container)
