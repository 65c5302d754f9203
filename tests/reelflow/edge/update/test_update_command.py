"""`reelflow update` as a device runs it: a real channel, a real watcher, a real camera."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from reelflow.cli import app
from reelflow.edge.bundle import open_bundle
from reelflow.edge.health.writer import HealthFile
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.edge.update.agent.state import STATE, AgentState
from reelflow.errors import ReelflowError
from tests.bundles import renamed_bundle
from tests.channel.desk import Desk
from tests.device_bundles import bundle_id, spoilt_bundle, write_health
from tests.reelflow.edge.camera.http_camera import HttpCamera, http_camera, steady, wait_for
from tests.reelflow.edge.health.test_health import ANSWER
from tests.webhook_server import serving

REELFLOW = (sys.executable, "-c", "from reelflow.cli import main; main()")


class Field:
    """A channel on one side, a device on the other."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.device, self.health = folder / "device", folder / "health"
        self._desk = Desk(folder, patch)
        self.publish, self.channel = self._desk.publish, str(self._desk.channel)
        self._desk.done("init", "--new-keys", self._desk.keys)
        (self.device / "channel").mkdir(parents=True)
        (self.device / "channel" / "root.json").write_bytes(self._desk.root.read_bytes())

    def update(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [*REELFLOW, *self._update(*arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=200)

    def update_here(self, *arguments: str) -> Result:
        """The same in this process."""
        return CliRunner().invoke(app, self._update(*arguments))

    def _update(self, *arguments: str) -> list[str]:
        common = ["--state", str(self.device), "--channel", self.channel, "--device", "one"]
        return ["update", *common, "--health", str(self.health), "--json", *arguments]

    @contextmanager
    def watched(self, camera: HttpCamera) -> Iterator["subprocess.Popen[str]"]:
        """A watcher of the camera, with the bundle in use."""
        options = ["--hop", "0.6", "--health", str(self.health / "door"), "--json"]
        command = [*REELFLOW, "watch", str(self.device / "current"), camera.address, *options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, text=True) as process:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)

    @property
    def in_use(self) -> str:
        return open_bundle(self.device / "current").report.name


def actions(done: "subprocess.CompletedProcess[str]") -> list[str]:
    return [json.loads(line)["action"] for line in done.stdout.splitlines()]


@pytest.fixture
def field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Field:
    return Field(tmp_path, monkeypatch)


@pytest.fixture
def one(edge_bundle: Path) -> Path:
    return edge_bundle


def test_what_is_done_by_hand_is_told_to_the_fleet(field: Field, one: Path, tmp_path: Path) -> None:
    field.publish(one)
    field.update_here("apply")
    field.update_here("confirm")
    field.publish(two := renamed_bundle(one, tmp_path / "two", "two"))
    with serving() as fleet:
        for verb in ("check", "apply", "status", "confirm", "rollback"):
            assert field.update_here("--report", fleet.address, verb).exit_code == 0
    reports = [DeviceReport.model_validate_json(body) for body in fleet.taken]
    told = [(one.current, one.trial, [refused.bundle for refused in one.refused]) for one in reports]
    first, second = bundle_id(one), bundle_id(two)
    assert told == [(first, second, []), (second, None, []), (first, None, [second])]


def counted(folder: Path, answers: int) -> None:
    """A watcher that answers so often, and ends."""
    health = HealthFile(folder, "one")
    for _ in range(answers):
        health.send(ANSWER)
    health.close(1)


@pytest.mark.slow
def test_what_was_counted_is_told_after_a_start_of_the_device(field: Field, one: Path) -> None:
    """What watchers write below /run is lost; the service keeps it as it ends, whatever the hour."""
    field.publish(one)
    counted(field.health / "door", 5)
    with serving() as fleet:
        options = ["--state", str(field.device), "--channel", field.channel, "--device", "one"]
        options += ["--health", str(field.health), "--report", fleet.address, "--every", "1s"]
        with subprocess.Popen([*REELFLOW, "update", *options], stdout=subprocess.DEVNULL) as service:
            wait_for(lambda: bool(list(field.device.glob("counts/*/counts-*.json"))), 60)
            counted(field.health / "door", 2)
            service.send_signal(signal.SIGTERM)
            assert service.wait(60) == 0
        shutil.rmtree(field.health)
        fleet.taken.clear()
        assert field.update("--report", fleet.address, "confirm").returncode == 0
    (report,) = [DeviceReport.model_validate_json(body) for body in fleet.taken]
    assert [(one.day, one.answers) for one in report.counts] == [(ANSWER.told_at[:10], 7)]


@pytest.mark.slow
def test_a_bundle_is_confirmed_by_a_watcher_that_answers_and_left_without_one(
    field: Field, one: Path, tmp_path: Path
) -> None:
    field.publish(one)
    assert actions(field.update("apply")) == ["on trial"]
    assert actions(field.update("confirm")) == ["confirmed"]
    two = renamed_bundle(one, tmp_path / "two", "two")
    with http_camera(steady()) as camera, field.watched(camera) as watcher:
        health = field.health / "door" / "health.json"
        wait_for(lambda: health.exists() and json.loads(health.read_text())["answering_s"] > 0, 60)
        field.publish(two)
        done = field.update("--well-after", "3s")
        assert (actions(done), done.returncode) == (["on trial", "confirmed"], 0), done.stderr
        assert json.loads(health.read_text())["bundle"] == bundle_id(two)
        counts = sorted((field.health / "door").glob("counts-*.json"))
        assert {json.loads(path.read_text())["bundle"] for path in counts} == {bundle_id(one), bundle_id(two)}
        assert watcher.poll() is None
    assert field.in_use == "two"
    three = renamed_bundle(one, tmp_path / "three", "three")
    field.publish(three)
    time.sleep(1)
    done = field.update("--give-up", "2s")
    assert (actions(done), done.returncode) == (["on trial", "rolled back"], 5)
    assert "no watcher has run with it" in done.stderr
    assert field.in_use == "two"
    assert actions(field.update()) == ["refused"]


def test_a_bundle_that_fails_its_self_test_is_refused_with_its_reason(
    field: Field, one: Path, tmp_path: Path
) -> None:
    field.publish(one)
    field.update("apply")
    field.update("confirm")
    spoilt = spoilt_bundle(one, tmp_path)
    field.publish(tmp_path / spoilt)
    done = field.update("apply")
    assert (actions(done), done.returncode) == (["refused"], 5)
    assert "its self-test fails" in done.stderr
    status = json.loads(field.update("status").stdout)
    assert [refused["bundle"] for refused in status["refused"]] == [spoilt]
    assert status["trial"] is None


@pytest.mark.slow
def test_agents_that_run_at_once_take_a_bundle_once(field: Field, one: Path, tmp_path: Path) -> None:
    """A timer and a person, or a service that was started twice."""
    field.publish(one)
    field.update("apply")
    field.update("confirm")
    field.publish(renamed_bundle(one, tmp_path / "two", "two"))
    with ThreadPoolExecutor(4) as people:
        found = list(people.map(lambda verb: field.update(verb), ["apply", "apply", "apply", "status"]))
    assert [done.returncode for done in found] == [0] * 4, [done.stderr for done in found]
    assert [actions(done) for done in found[:3]] == [["on trial"]] * 3
    state = AgentState.read(field.device / STATE)
    assert state.trial is not None
    assert state.trial.bundle == bundle_id(tmp_path / "two")
    assert state.refused == ()
    assert field.in_use == "two"
    with ThreadPoolExecutor(4) as people:
        found = list(people.map(lambda verb: field.update(verb), ["confirm", "rollback", "confirm", "apply"]))
    assert {done.returncode for done in found} <= {0, 5}, [done.stderr for done in found]
    state = AgentState.read(field.device / STATE)
    assert state.trial is None
    assert {state.current, *(refused.bundle for refused in state.refused)} >= {bundle_id(tmp_path / "two")}
    assert (field.in_use == "two") == (not state.refused)


@pytest.mark.slow
def test_a_running_watcher_ends_when_its_first_bundle_is_given_up(field: Field, one: Path) -> None:
    """It is not served as if it worked; `watch` and `status` say why, and the next bundle is taken."""
    field.publish(one)
    assert actions(field.update("apply")) == ["on trial"]
    with http_camera(steady()) as camera, field.watched(camera) as watcher:
        health = field.health / "door" / "health.json"
        wait_for(lambda: health.exists() and json.loads(health.read_text())["answering_s"] > 0, 60)
        write_health(field.health, bundle_id(one), "yard", starts=9)  # another camera
        done = field.update()
        assert (actions(done), done.returncode) == (["on trial", "given up"], 5)
        assert watcher.wait(60) == 5
        assert json.loads(health.read_text())["problem"] == ""
        write_health(field.health, bundle_id(one), "door", starts=9)  # a watcher that crashed has left it
        command = [*REELFLOW, "watch", str(field.device / "current"), camera.address]
        command += ["--health", str(field.health / "door")]
        again = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert again.returncode == 5
    assert f"leads to no bundle: {bundle_id(one)[:12]} was given up" in again.stderr
    assert "a watcher starts with it again and again" in again.stderr
    assert not health.exists(), "it counts for nothing when the bundle is tried again"
    command = [*REELFLOW, "update", "--state", str(field.device), "--device", "one", "status"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60).stdout
    assert f"no bundle is in use: {bundle_id(one)[:12]} was given up" in told


def test_what_cannot_be_done_is_said_with_what_to_do(field: Field) -> None:
    for arguments, told in (
        (("--channel", "", "check"), "no channel is named"),
        (("--every", "soon"), "expected a time above 0, as 90s, 15m, 6h or 1d"),
        (("--every", "15m", "check"), "leave out check"),
        (("--give-up", "99999999999d", "status"), "100 years at most"),
        (("--device", "x" * 201, "status"), "expected 200 printable characters at most"),
        (("--group", "lab\n", "status"), "expected 200 printable characters at most"),
        (("check",), "nothing has been published yet"),
        (("rollback",), "there is no bundle to go back to"),
    ):
        error = field.update_here(*arguments).exception
        assert isinstance(error, ReelflowError)
        assert told in str(error), arguments
        assert error.exit_code in (2, 5, 11)
    done = field.update("rollback")
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: there is no bundle to go back to")
    assert done.stderr.count("\n") == 1
