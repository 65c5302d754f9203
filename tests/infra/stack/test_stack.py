"""A tracking server for a team: accounts, restarts, no secret where others look."""

import signal
import socket
from pathlib import Path

import psutil
import pytest
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from reelflow.settings import Settings
from tests.faults.tracking.sessions import LocalRun
from tests.infra.stack.stack import Stack, account, is_private, logged_in
from tests.reelflow.edge.camera.http_camera import wait_for

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def is_alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def search(address: str, **options: object) -> int:
    """The status of a request that changes something, as MLflow's page makes it."""
    where = f"{address}/api/2.0/mlflow/runs/search"
    return requests.post(where, json={"experiment_ids": ["0"]}, timeout=10, **options).status_code


def test_a_team_works_with_one_server(stack: Stack, tmp_path: Path) -> None:
    assert stack.done("status").split() == ["server", "ok", "database", "ok", "object", "store", "ok"]
    alice, bob = (account(stack.done("user", name)) for name in ("alice", "bob"))
    assert stack.refused("user", "alice")[0] == 2
    (tmp_path / "report.txt").write_text("42")
    with logged_in(alice) as client:
        run = client.create_run(client.create_experiment("shared")).info
        client.log_metric(run.run_id, "accuracy", 0.5)
        client.log_artifact(run.run_id, str(tmp_path / "report.txt"))
    with logged_in(bob) as client:
        assert client.get_run(run.run_id).data.metrics == {"accuracy": 0.5}
        client.set_tag(run.run_id, "seen", "by bob")
        fetched = client.download_artifacts(run.run_id, "report.txt", str(tmp_path))
        assert Path(fetched).read_text() == "42"
        assert "/presigned/" not in stack.logs(), "only the server can reach the object store"
    with logged_in(bob | {"MLFLOW_TRACKING_PASSWORD": "guessed"}) as client, pytest.raises(MlflowException):
        client.get_run(run.run_id)
    address = bob["MLFLOW_TRACKING_URI"]
    assert search(address) == 401
    word = (bob["MLFLOW_TRACKING_USERNAME"], bob["MLFLOW_TRACKING_PASSWORD"])
    assert search(address, auth=word) == 200
    again = account(stack.done("user", "bob", "--new-password"))
    with logged_in(again) as client:
        assert client.get_run(run.run_id).data.tags["seen"] == "by bob"


def test_whole_runs_of_reelflow_are_recorded(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in account(stack.done("user", "alice")).items():
        monkeypatch.setenv(name, value)
    address = stack.client_variables["MLFLOW_TRACKING_URI"]
    asked = Settings(tracking_uri=address, experiment="clips", spool=tmp_path / "spool")
    run = LocalRun.written(tmp_path / "run", asked, "clips")
    assert run.session() == 0
    assert not run.is_owed
    client = MlflowClient(address)  # as reelflow's own, with the variables that reelflow has set
    assert client.get_model_version_by_alias("clips", "champion").version == "1"
    parent = client.get_experiment_by_name("clips")
    assert parent
    (run_id, *_) = (
        one.info.run_id
        for one in client.search_runs([parent.experiment_id])
        if "reelflow.outcome" in one.data.tags
    )
    assert Path(client.download_artifacts(run_id, "report/report.html", str(tmp_path))).stat().st_size
    assert "/presigned/" not in stack.logs()


def test_hosts_and_pages_are_those_that_were_named(folders: Path) -> None:
    stack = Stack(folders / "named")
    stack.up("--names", "mlflow.example.com")
    variables = stack.client_variables
    address = variables["MLFLOW_TRACKING_URI"]
    auth = (variables["MLFLOW_TRACKING_USERNAME"], variables["MLFLOW_TRACKING_PASSWORD"])
    for host, page, status in (
        ("mlflow.example.com", "https://mlflow.example.com", 200),
        ("mlflow.example.com", "https://evil.example", 403),
        ("evil.example", "https://mlflow.example.com", 403),
    ):
        assert search(address, auth=auth, headers={"Host": host, "Origin": page}) == status


def test_what_dies_comes_back_and_what_is_stopped_stays_so(stack: Stack) -> None:
    with logged_in(stack.client_variables) as client:
        run = client.create_run(client.create_experiment("kept")).info.run_id
    for name in ("postgres", "rclone", "python"):
        child = next(one for one in stack.processes[0].children() if name in one.name())
        child.send_signal(signal.SIGKILL)
        wait_for(lambda child=child: not is_alive(child))
        wait_for(lambda: stack.run("status").returncode == 0, 90)
    assert "http" in stack.up(), "a stack that runs is left as it is"
    before = stack.processes
    before[0].kill()
    wait_for(lambda: not is_alive(before[0]))
    stack.up()
    assert not any(is_alive(one) for one in before)
    before = stack.processes
    stack.done("down")
    assert not any(is_alive(one) for one in before)
    assert stack.refused("status")[0] == 7
    stack.up()
    with logged_in(stack.client_variables) as client:
        assert client.get_run(run).info.status == "RUNNING"


def test_no_secret_is_where_others_look(stack: Stack) -> None:
    stack.done("user", "alice")
    stack.done("backup")
    assert len(stack.secrets) == 4
    seen = stack.logs() + "".join(" ".join(one.cmdline()) for one in stack.processes)
    seen += (stack.folder / "supervisord.conf").read_text()
    assert not [word for word in stack.secrets if word in seen]
    for name in ("stack.env", "client.env", "auth.ini", "logs", "objects", "backups"):
        assert is_private(stack.folder / name), name


def test_a_port_that_is_taken_and_a_wrong_option_are_told(folders: Path) -> None:
    stack = Stack(folders / "team")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, told = stack.refused("up", "--kind", "processes", "--port", other.getsockname()[1])
    assert code == 2
    assert "cannot listen on 127.0.0.1" in told
    assert "port: Input should be less than 65536" in stack.refused("up", "--port", 70000)[1]
    assert "names: " in stack.refused("up", "--names", "a;rm -rf /")[1]
    assert "holds a stack of processes" in stack.refused("up", "--kind", "docker")[1]
    assert "holds no stack" in Stack(folders / "none").refused("down")[1]
