"""The same server in containers: Docker's own Compose, images of PostgreSQL and rclone."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.stack.compose import IMAGE, has_compose
from tests.infra.stack.stack import Stack, account, logged_in
from tests.infra.stack.test_backup import artifact, record
from tests.infra.stack.test_same import COMPOSE
from tests.s3_server import free_port

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def docker(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], capture_output=True, text=True)


def need_images() -> None:
    """Skip if they are not here and no registry has them; the environment may name others."""
    if not has_compose():
        pytest.skip("Docker has no Compose here")
    for service, variable in (("postgres", "POSTGRES_IMAGE"), ("bucket", "RCLONE_IMAGE")):
        default = COMPOSE["services"][service]["image"].partition(":-")[2].removesuffix("}")
        image = os.environ.get(variable, default)
        if docker("image", "inspect", image).returncode and docker("pull", image).returncode:
            pytest.skip(f"no image {image} here, and no registry: {variable} may name another")
    assert docker("image", "inspect", IMAGE).returncode == 0, "make images IMAGES=mlflow"


def test_containers_are_restored_elsewhere(tmp_path: Path) -> None:
    need_images()
    stack, elsewhere = Stack(tmp_path / "team"), Stack(tmp_path / "elsewhere")
    try:
        stack.done("up", "--kind", "docker", "--port", free_port())
        assert stack.done("status")
        alice = account(stack.done("user", "alice"))
        run = record(stack, "first", "one", tmp_path)
        stack.done("backup", "--to", tmp_path / "safe")
        (backup,) = (tmp_path / "safe").iterdir()
        elsewhere.done("up", "--kind", "docker", "--port", free_port())
        elsewhere.done("restore", backup, "--replace")
        assert artifact(elsewhere, run, tmp_path) == "one"
        address = elsewhere.client_variables["MLFLOW_TRACKING_URI"]
        with logged_in(alice | {"MLFLOW_TRACKING_URI": address}) as client:
            assert client.get_run(run)
        stack.done("down")
        stack.done("up")
        assert artifact(stack, run, tmp_path) == "one", "down keeps the data"
    finally:
        for one in (stack, elsewhere):
            if (one.folder / "stack.env").exists():
                one.run("down")
                for name in ("postgres", "objects"):
                    docker("volume", "rm", f"{one.project}_{name}")
