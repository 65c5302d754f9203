"""The commands of the dev overlay, run here: PostgreSQL, S3, the migration, MLflow. No Kubernetes."""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlflow import MlflowClient

from reelflow.contracts import Gate
from reelflow.settings import Settings
from reelflow.tracking.journal.entry import MAX_REASON_CHARS
from reelflow.tracking.promotion.gates import GateRecord
from reelflow.tracking.promotion.moves import Grounds, Promotions
from reelflow.tracking.registry import MlflowRegistry
from tests.infra.kubernetes.kubelet import Kubelet
from tests.infra.kubernetes.manifests import Object, one
from tests.promoting import MODEL, VERSIONS, check_whole, race, register_versions
from tests.s3_server import free_port

pytestmark = pytest.mark.cluster
SERVER, MIGRATION, STORE = "Deployment/mlflow", "Job/mlflow-migration", "StatefulSet/object-store"
ALLOWED = (
    "mlflow:5000",
    "mlflow.reelflow:5000",
    "mlflow.reelflow.svc:5000",
    "10.1.2.3:5000",
    "localhost:5000",
)
PUBLIC = "mlflow.example.com"
FOREIGN = ("evil.example", "mlflow.evil.example:5000", "10.evil.example:5000", "192.168.evil.example:5000")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that the database's user may enter."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def kubelet(overlays: dict[str, list[Object]], folder: Path) -> Iterator[Kubelet]:
    """The dev overlay's containers, with an empty PostgreSQL and a running object store."""
    for needed in ("psycopg2", "prometheus_flask_exporter"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"the image of MLflow has {needed}, this environment does not")
    kubelet = Kubelet(overlays["dev"], _places(overlays["dev"], folder))
    with _running(_database(kubelet, folder), signal.SIGINT) as database:
        _wait_for(kubelet.places["@postgres:5432"].removeprefix("@"), database)
        _create_database(kubelet)
        with _running(kubelet.start(STORE, "object-store")) as store:
            _wait_for(kubelet.places["object-store:9000"], store)
            yield kubelet


@pytest.fixture(scope="module")
def server(kubelet: Kubelet) -> Iterator[str]:
    """The address of a running MLflow, after what comes before it."""
    assert kubelet.run("Job/object-store-bucket", "bucket")[0] == 0
    assert kubelet.run(MIGRATION, "migration")[0] == 0
    address = f"127.0.0.1:{kubelet.places['--port=5000'].removeprefix('--port=')}"
    with _running(kubelet.start(SERVER, "mlflow", PUBLIC_HOST=PUBLIC)) as process:
        _wait_for(address, process)
        yield f"http://{address}"


def test_servers_wait_for_the_migration(kubelet: Kubelet) -> None:
    code, printed = kubelet.run(SERVER, "wait-for-schema", TIMEOUT_S="0")
    assert code == 1
    assert "mlflow-migration" in printed
    assert kubelet.secret("reelflow-mlflow-db", "password") not in printed


def test_unreachable_database_is_said_without_its_password(kubelet: Kubelet) -> None:
    uri = f"postgresql+psycopg2://mlflow:hidden@127.0.0.1:{free_port()}/mlflow"
    code, printed = kubelet.run(SERVER, "wait-for-schema", TIMEOUT_S="0", MLFLOW_BACKEND_STORE_URI=uri)
    assert code == 1
    assert "does not answer" in printed
    assert "hidden" not in printed


def test_jobs_may_run_again(server: str, kubelet: Kubelet) -> None:
    for owner, container in ((MIGRATION, "migration"), ("Job/object-store-bucket", "bucket")):
        code, printed = kubelet.run(owner, container)
        assert code == 0, printed
    assert kubelet.run(SERVER, "wait-for-schema", TIMEOUT_S="0") == (0, "")


def test_run_and_artifact_pass_through_the_server(server: str, kubelet: Kubelet, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("42")
    client = MlflowClient(server)
    experiment = client.create_experiment("through the server")
    run = client.create_run(experiment).info
    client.log_metric(run.run_id, "accuracy", 0.5)
    client.log_artifact(run.run_id, str(tmp_path / "report.txt"))
    assert run.artifact_uri.startswith("mlflow-artifacts:")
    assert client.get_run(run.run_id).data.metrics == {"accuracy": 0.5}
    fetched = client.download_artifacts(run.run_id, "report.txt", str(tmp_path / "fetched"))
    assert Path(fetched).read_text() == "42"
    kept = list(Path(kubelet.places["/data"]).glob(f"mlflow/artifacts/**/{run.run_id}/**/report.txt"))
    assert [path.read_text() for path in kept] == ["42"]


def test_promotions_at_once_are_whole_on_postgresql(server: str) -> None:
    """Its columns have limits that sqlite has not."""
    register_versions(server)
    versions = range(1, VERSIONS + 1)
    assert len(check_whole(server, race(server, versions, contested=True))) == 1
    assert check_whole(server, race(server, versions, contested=False), before=1)
    promotions = Promotions(MlflowRegistry(Settings(tracking_uri=server)), MODEL, "test")
    gates = tuple(
        Gate(name=f"max_of_something_{place}", found=0.123456789, limit=0.5, passed=True, why="x" * 200)
        for place in range(24)
    )
    promotions.registry.set_tags(MODEL, 1, GateRecord(against=2, gates=gates).tags())
    assert GateRecord.of_tags(promotions.registry.tags(MODEL, 1)).gates == gates
    grounds = Grounds(gates=gates, reason="\u00e9" * MAX_REASON_CHARS)
    journal = promotions.settled()
    version = next(one for one in versions if one != journal.last.champion)
    assert promotions.move(version, "promote", grounds, journal).problems == ()


@pytest.mark.parametrize(
    ("host", "status"), [*((one, 200) for one in ALLOWED), *((one, 403) for one in FOREIGN)]
)
def test_only_known_hosts_are_served(host: str, status: int, server: str) -> None:
    assert _get(f"{server}/api/2.0/mlflow/experiments/search?max_results=1", host)[0] == status
    assert _get(f"{server}/metrics", host)[0] == status


@pytest.mark.parametrize(
    ("page", "status"),
    [(f"http://{PUBLIC}", 200), (f"https://{PUBLIC}", 200), ("https://evil.example", 403)],
)
def test_only_its_own_page_may_change_something(page: str, status: int, server: str) -> None:
    """MLflow's page asks for runs by POST, with its own origin (`should_block_cors_request`, 3.17)."""
    where = f"{server}/ajax-api/2.0/mlflow/runs/search"
    headers = {"Content-Type": "application/json", "Origin": page}
    assert _get(where, PUBLIC, b'{"experiment_ids": ["0"]}', **headers)[0] == status


def test_probes_are_answered_whatever_the_host(server: str) -> None:
    assert _get(f"{server}/health", "198.18.0.1:5000") == (200, "OK")


def test_metrics_count_requests(server: str) -> None:
    for _ in range(3):
        _get(f"{server}/api/2.0/mlflow/experiments/search?max_results=1", "mlflow:5000")
    status, text = _get(f"{server}/metrics", "10.1.2.3:5000")
    counted = [float(value) for value in re.findall(r"^mlflow_http_request_total\{.*\} (\S+)$", text, re.M)]
    assert status == 200
    assert sum(counted) >= 3


def test_object_store_checks_signatures(server: str, kubelet: Kubelet) -> None:
    assert _get(f"http://{kubelet.places['object-store:9000']}/mlflow", "x")[0] in (400, 403)
    code, printed = kubelet.run("Job/object-store-bucket", "bucket", AWS_SECRET_ACCESS_KEY="wrong")
    assert code != 0
    assert "SignatureDoesNotMatch" in printed


def _places(objects: list[Object], folder: Path) -> dict[str, str]:
    (folder / "data").mkdir()
    script = one(objects, "ConfigMap/mlflow-scripts")["data"]["wait_for_schema.py"]
    (folder / "wait_for_schema.py").write_text(script)
    store = f"127.0.0.1:{free_port()}"
    return {
        "@postgres:5432": f"@127.0.0.1:{free_port()}",
        "object-store:9000": store,
        "0.0.0.0:9000": store,
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={free_port()}",
        "/data": str(folder / "data"),
        "/tmp/metrics": str(folder / "metrics"),
        "/scripts": str(folder),
    }


def _database(kubelet: Kubelet, folder: Path) -> subprocess.Popen[str]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    data = folder / "postgres"
    data.mkdir()
    password = folder / "password"
    password.write_text(kubelet.secret("reelflow-mlflow-db", "password"))
    user = pwd.getpwnam("postgres") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
    for path in (data, password):
        os.chown(path, user.pw_uid, user.pw_gid)
    who = {"user": user.pw_uid, "group": user.pw_gid} if os.getuid() == 0 else {}
    made = ["-D", data, "-U", "mlflow", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"]
    subprocess.run([programs[-1] / "initdb", *made], check=True, capture_output=True, **who)
    port = kubelet.places["@postgres:5432"].rpartition(":")[2]
    options = ["-D", data, "-p", port, "-k", data, "-h", "127.0.0.1", "-F"]
    return subprocess.Popen(
        [programs[-1] / "postgres", *options],
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **who,
    )


def _create_database(kubelet: Kubelet) -> None:
    host, _, port = kubelet.places["@postgres:5432"].removeprefix("@").rpartition(":")
    subprocess.run(
        ["createdb", "-h", host, "-p", port, "-U", "mlflow", "mlflow"],
        check=True,
        env=os.environ | {"PGPASSWORD": kubelet.secret("reelflow-mlflow-db", "password")},
    )


@contextmanager
def _running(
    process: subprocess.Popen[str], signal_number: int = signal.SIGTERM
) -> Iterator[subprocess.Popen[str]]:
    """A process that ends with the block: by a signal, within a pod's grace period."""
    try:
        yield process
    finally:
        process.send_signal(signal_number)
        try:
            process.communicate(timeout=55)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


def _wait_for(address: str, process: subprocess.Popen[str] | None = None) -> None:
    """Until somebody listens there."""
    host, _, port = address.rpartition(":")
    deadline = time.monotonic() + 90
    while True:
        assert process is None or process.poll() is None, f"ended with {process and process.returncode}"
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, f"nobody listens on {address}"
            time.sleep(0.1)
        else:
            return


def _get(url: str, host: str, data: bytes | None = None, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(url, data=data, headers={"Host": host} | headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
