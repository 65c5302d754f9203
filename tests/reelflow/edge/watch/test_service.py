"""`reelflow watch` as a service: its lines, its signals, its service manager."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest

from tests.reelflow.edge.camera.http_camera import http_camera, silent, steady, until, wait_for
from tests.slowly import slow
from tests.videos import write_video

QUICK = ("--hop", "0.6", "--least", "0", "--on", "0.01")
LONG_S = 60


def command(*arguments: object) -> list[str]:
    run = "from reelflow.cli import main; main()"
    return [sys.executable, "-c", run, "watch", *map(str, arguments)]


@contextmanager
def service(*arguments: object, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_of(process: "subprocess.Popen[str]", **values: str) -> dict[str, object]:
    """The next line on standard output with these values."""
    assert process.stdout
    for line in process.stdout:
        found: dict[str, object] = json.loads(line)
        if values.items() <= found.items():
            return found
    raise AssertionError(f"no line with {values}: {process.stderr.read() if process.stderr else ''}")


def test_a_file_is_watched_to_its_end_in_json_lines(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=60, seed=1)
    done = subprocess.run(
        command(edge_bundle, video, "--answers", *QUICK), capture_output=True, text=True, timeout=LONG_S
    )
    assert (done.returncode, done.stderr) == (0, "")
    kinds = [json.loads(line)["kind"] for line in done.stdout.splitlines()]
    assert kinds[0] == "source"
    assert {"answer", "event"} <= set(kinds)


@pytest.mark.parametrize("number", [signal.SIGTERM, slow(signal.SIGINT)])
def test_a_signal_ends_the_event_and_the_service_well(edge_bundle, number):
    with http_camera(steady()) as camera, service(edge_bundle, camera.address, *QUICK) as process:
        line_of(process, phase="start")
        process.send_signal(number)
        end = line_of(process, phase="end")
        assert end["reason"] == "stopped"
        assert process.wait(LONG_S) == 0


def test_a_signal_ends_a_service_whose_source_hangs(edge_bundle):
    over = Event()
    with (
        http_camera(silent(until(over))) as camera,
        service(edge_bundle, camera.address, *QUICK) as process,
    ):
        line_of(process, phase="start")
        over.set()
        line_of(process, phase="end", reason="source")
        process.terminate()
        assert process.wait(LONG_S) == 0


def test_the_service_manager_is_told(edge_bundle, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, http_camera(steady()) as camera:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(LONG_S)
        variables = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        told = []
        with service(edge_bundle, camera.address, *QUICK, **variables) as process:
            while told.count("WATCHDOG=1") < 3 or not any("connected" in one for one in told):
                told.append(manager.recv(4096).decode())
            process.terminate()
            while told[-1] != "STOPPING=1":
                told.append(manager.recv(4096).decode())
            assert process.wait(LONG_S) == 0
    assert told[0] == "READY=1"
    assert any(one.startswith("STATUS=http://127.0.0.1") for one in told)
    assert not any("s3cret" in one for one in told)


@pytest.mark.slow
def test_no_process_is_left_behind_when_the_service_is_killed(edge_bundle):
    with http_camera(steady()) as camera, service(edge_bundle, camera.address, *QUICK) as process:
        line_of(process, phase="start")
        tasks = Path(f"/proc/{process.pid}/task").glob("*/children")  # a thread has started it
        children = [child for task in tasks for child in task.read_text().split()]
        assert children
        arguments = Path(f"/proc/{children[0]}/cmdline").read_bytes()
        assert b"camera.reading" in arguments
        assert b"s3cret" not in arguments, "every user can see the arguments of a process"
        process.kill()
        process.wait()
        wait_for(lambda: not any(Path(f"/proc/{child}").exists() for child in children))


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (("nothing.mp4",), "is not a file", 2),
        (("rtsp://u:s3cret@/x",), "names no host", 2),
        slow(("/dev/video99", "--on", "0.5", "--off", "0.6"), "--off 0.6 is above --on 0.5", 2),
        slow(("env:NO_SUCH_VARIABLE",), "env:NO_SUCH_VARIABLE names a variable that is not set", 2),
        slow(("/dev/video99", "--sink", "ftp://u:s3cret@x/"), "expected", 2),
    ],
)
def test_a_wrong_command_line_is_told(edge_bundle, arguments, told, code):
    done = subprocess.run(command(edge_bundle, *arguments), capture_output=True, text=True, timeout=LONG_S)
    assert done.returncode == code
    assert told in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_an_address_may_come_from_the_environment(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=20, seed=1)
    with service(edge_bundle, "env:CAMERA", *QUICK, CAMERA=str(video)) as process:
        assert line_of(process, state="ended")["camera"] == str(video)
        assert process.wait(LONG_S) == 0


def test_events_go_to_a_file_too(edge_bundle, tmp_path):
    video = write_video(tmp_path / "noise.mp4", frames=60, seed=1)
    events = tmp_path / "events.jsonl"
    done = subprocess.run(
        command(edge_bundle, video, "--sink", f"file:{events}", *QUICK),
        capture_output=True,
        text=True,
        timeout=LONG_S,
    )
    assert done.returncode == 0, done.stderr
    kept = [json.loads(line) for line in events.read_text().splitlines()]
    assert kept == [json.loads(line) for line in done.stdout.splitlines()]
