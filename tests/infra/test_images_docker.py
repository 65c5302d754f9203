"""The built images: small, locked down, and whole enough for MLflow."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from infra.images.context import NAMES, NO_STEPS, ON_REQUEST
from infra.images.scan import CYCLONEDX, scan
from tests.bundles import write_small_bundle
from tests.engine import docker
from tests.s3_server import free_port
from tests.workplace import ROOT

pytestmark = pytest.mark.docker

LOCKED_DOWN = ("--rm", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
SMALL_MB = 460
SMALL = ("frames", "features")
START_TIMEOUT_S = 120
RECORD = """
import sys
from pathlib import Path
from reelflow.settings import Settings
from reelflow.tracking.tracker import Tracker

tracker = Tracker(Settings())
run = tracker.parent("in a container", {"a": "1"})
Path("/tmp/note.txt").write_text("kept")
tracker.log(run, metrics={"accuracy": 0.5}, tags={"t": "v"}, artifacts={Path("/tmp/note.txt"): "notes"})
tracker.finish(run)
print(run)
"""
VALIDATE = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

print(JsonStrictValidator(SchemaVersion.V1_6).validate_str(sys.stdin.read()))
"""
REGISTER = """
from pathlib import Path
from reelflow.settings import Settings
from reelflow.tracking.registry import MlflowRegistry

registry = MlflowRegistry(Settings())
version = registry.register(Path("/bundle"), model_name="reelflow", tags={"t": "v"})
registry.set_alias("reelflow", "champion", version)
assert registry.alias("reelflow", "champion") == version
assert (registry.bundle("reelflow", version, Path("/tmp/fetched")) / "bundle.json").is_file()
print(version)
"""


def await_answer(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.5)
    pytest.fail(f"{url} does not answer after {START_TIMEOUT_S} s")


@pytest.fixture(scope="module")
def tracking_uri(images: dict[str, str]) -> Iterator[str]:
    """An MLflow server in its image, as locked down as on a cluster."""
    port = free_port()
    command = ["mlflow", "server", f"--port={port}", "--workers=1"]
    command += ["--backend-store-uri=sqlite:////tmp/mlflow.db", "--artifacts-destination=/tmp/artifacts"]
    command += ["--expose-prometheus=/tmp/metrics"]
    started = docker("run", "--detach", *LOCKED_DOWN, "--network=host", images["mlflow"], *command)
    assert started.returncode == 0, started.stdout
    container = started.stdout.split()[-1]
    try:
        await_answer(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        docker("rm", "--force", container)


def python_in(image: str, code: str, uri: str, *options: str) -> str:
    """What a program prints last, in a locked down container that reaches MLflow."""
    environment = [f"--env=MLFLOW_TRACKING_URI={uri}", "--env=MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false"]
    done = docker("run", *LOCKED_DOWN, "--network=host", *environment, *options, image, "python", "-c", code)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()[-1]


def test_images_are_small(images: dict[str, str]) -> None:
    for name in SMALL:
        (found,) = json.loads(docker("image", "inspect", images[name]).stdout)
        assert found["Size"] <= SMALL_MB * 1e6


def test_steps_start_locked_down(images: dict[str, str]) -> None:
    for name in {*NAMES} - {*NO_STEPS, *ON_REQUEST}:
        step = name.partition("-")[0]
        code = f"id -u && python -m components.{step} --help >/dev/null && touch /tmp/x && ! touch /app/x"
        done = docker("run", *LOCKED_DOWN, "--network=none", images[name], "sh", "-c", code)
        assert done.returncode == 0, done.stdout
        assert done.stdout.startswith("10001")


def test_a_container_with_one_cpu_starts_one_thread(images: dict[str, str]) -> None:
    asked = "from reelflow.workers.cpus import granted_cpus; print(granted_cpus())"
    found = docker("run", *LOCKED_DOWN, "--cpus=1", images["features"], "python", "-c", asked)
    assert found.stdout.split() == ["1"], found.stderr


def test_image_holds_its_own_step_alone(images: dict[str, str]) -> None:
    listed = docker("run", *LOCKED_DOWN, images["frames"], "find", "/app/components", "-name", "step.py")
    assert listed.stdout.split() == ["/app/components/frames/step.py"]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("frames", "from reelflow.provenance.code import code_hash; print(code_hash('frames'))"),
        ("frames", "from components.frames.shards import made_by; print(made_by())"),
        ("features", "from components.features.shards import made_by; print(made_by('mobilenet_v2_quant'))"),
        ("features-float", "from components.features.shards import made_by; print(made_by('mobilenet_v2'))"),
    ],
)
def test_images_and_laptops_know_each_others_shards(images: dict[str, str], name: str, code: str) -> None:
    here = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert python_in(images[name], code, "") == here.stdout.strip()


@pytest.mark.parametrize("name", ["frames", "training"])
def test_steps_record_in_mlflow(images: dict[str, str], tracking_uri: str, name: str) -> None:
    run = python_in(images[name], RECORD, tracking_uri)
    found = requests.get(f"{tracking_uri}/api/2.0/mlflow/runs/get", {"run_id": run}, timeout=10).json()["run"]
    assert found["info"]["status"] == "FINISHED"
    assert found["data"]["metrics"][0]["value"] == 0.5
    assert found["data"]["params"] == [{"key": "a", "value": "1"}]
    listed = requests.get(
        f"{tracking_uri}/api/2.0/mlflow/artifacts/list", {"run_id": run, "path": "notes"}, timeout=10
    )
    assert listed.json()["files"][0]["path"] == "notes/note.txt"


def test_server_tells_its_metrics(tracking_uri: str) -> None:
    assert "mlflow_http_request_total" in requests.get(f"{tracking_uri}/metrics", timeout=10).text


def test_server_has_its_drivers(images: dict[str, str]) -> None:
    code = "import boto3, psycopg2; print(psycopg2.__version__)"
    done = docker("run", *LOCKED_DOWN, images["mlflow"], "python", "-c", code)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["dataset", "frames-dvc"])
def test_dvc_starts_without_what_is_left_out(images: dict[str, str], name: str) -> None:
    code = "import asyncssh, s3fs; from dvc.fs.dvc import DVCFileSystem; print(DVCFileSystem.__name__)"
    assert python_in(images[name], code, "") == "DVCFileSystem"


def test_release_registers_a_bundle(images: dict[str, str], tracking_uri: str, tmp_path: Path) -> None:
    write_small_bundle(tmp_path / "bundle")
    mount = f"--volume={tmp_path / 'bundle'}:/bundle:ro"
    assert python_in(images["release"], REGISTER, tracking_uri, mount) == "1"


@pytest.fixture
def bad_image(images: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """The frames image spoilt: root, a setuid file, and a private key."""
    body = "MIIEpAIBAAKCAQEAs1Zq" * 8
    (tmp_path / "key.pem").write_text(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
    (tmp_path / "Containerfile").write_text(
        f"FROM {images['frames']}\nUSER root\nCOPY key.pem /app/\nRUN chmod u+s /usr/bin/env\n"
    )
    arguments = ("--network=none", "--tag=reelflow-bad:test", f"--file={tmp_path / 'Containerfile'}")
    built = docker("build", *arguments, str(tmp_path))
    assert built.returncode == 0, built.stdout
    yield "reelflow-bad:test"
    docker("image", "rm", "--force", "reelflow-bad:test")


def test_scan_refuses_a_bad_image(bad_image: str, tmp_path: Path) -> None:
    problems = "\n".join(scan("bad", bad_image, tmp_path / "lists"))
    assert "user is 'root'" in problems
    assert "/usr/bin/env: setuid" in problems
    assert "/app/key.pem: holds a secret" in problems


def test_scan_lists_what_is_inside(images: dict[str, str], tmp_path: Path) -> None:
    assert scan("frames", images["frames"], tmp_path) == []
    text = (tmp_path / "frames.cdx.json").read_text()
    python = CYCLONEDX.with_name("python")
    assert subprocess.check_output([python, "-c", VALIDATE], input=text, text=True) == "None\n"
    sbom = json.loads(text)
    assert sbom["bomFormat"] == "CycloneDX"
    assert {"av", "kfp", "mlflow-skinny", "numpy"} <= {part["name"] for part in sbom["components"]}
    assert "numpy," in (tmp_path / "frames.licences.csv").read_text()
    assert "libc6," in (tmp_path / "frames.packages.csv").read_text()


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """Debian's registry on a port of its own."""
    if not shutil.which("docker-registry"):
        pytest.skip("no docker-registry (make test-docker installs it)")
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "registry.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path / 'images'}}}}}\n"
        f"http: {{addr: '{address}'}}\nlog: {{level: error}}\n"
    )
    with subprocess.Popen(["docker-registry", "serve", str(tmp_path / "registry.yml")]) as server:
        try:
            await_answer(f"http://{address}/v2/")
            yield address
        finally:
            server.terminate()


def test_push_names_images_by_digest(images: dict[str, str], registry: str, tmp_path: Path) -> None:
    index = tmp_path / "images.json"
    command = [sys.executable, "-m", "infra.images.build", "frames", f"--push={registry}/team"]
    done = subprocess.run([*command, f"--index={index}"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    reference = json.loads(index.read_text())["frames"]
    assert reference.startswith(f"{registry}/team/reelflow-frames@sha256:")
    try:
        assert docker("pull", reference).returncode == 0
    finally:
        name, _, version = images["frames"].rpartition(":")
        docker("image", "rm", f"{registry}/team/{name}:{version}", reference)
