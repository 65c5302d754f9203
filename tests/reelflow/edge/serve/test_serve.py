"""`reelflow serve` as a service: its end, its faults, and what it does not load without need."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from threading import Thread

import pytest
import requests

from tests.bundles import write_clip
from tests.reelflow.edge.camera.http_camera import HttpCamera, http_camera, steady, wait_for
from tests.reelflow.edge.serve.served import Service, command, served
from tests.slowly import slow

LONG_S = 60
BUSY = 429
SECRET = "0123456789abcdef-secret"


@pytest.fixture
def camera() -> Iterator[HttpCamera]:
    with http_camera(steady()) as found:
        yield found


def is_healthy(service: Service, **headers: str) -> bool:
    return requests.get(f"{service.url}healthz", headers=headers, timeout=LONG_S).status_code == 200


def test_a_signal_ends_the_page_and_the_watching(small_bundle, camera):
    with served(small_bundle, camera.address, "--timeout", 30) as service:
        wait_for(lambda: is_healthy(service))
        service.process.terminate()
        assert service.ended() == 0
        assert service.told.count("\n") == 1, service.told
        with pytest.raises(requests.ConnectionError):
            requests.get(service.url, timeout=LONG_S)
    assert "s3cret" not in service.told


@pytest.mark.slow
def test_a_signal_ends_a_service_that_classifies_a_clip(small_bundle, camera, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", frames=1000).read_bytes()
    with served(small_bundle, camera.address) as service:

        def post(body: bytes) -> int:
            return requests.post(f"{service.url}classify", body, timeout=LONG_S).status_code

        def post_clip() -> None:
            with suppress(requests.ConnectionError):  # the service has ended
                while post(clip) == BUSY:
                    pass

        posting = Thread(target=post_clip)
        posting.start()
        wait_for(lambda: post(b"") == BUSY)
        service.process.terminate()
        assert service.ended() == 0
        posting.join()
    assert service.told.count("\n") == 1, service.told


def test_a_token_lets_programs_in(small_bundle, camera):
    with served(small_bundle, camera.address, "--token", "env:PAGE_TOKEN", PAGE_TOKEN=SECRET) as service:
        assert requests.get(f"{service.url}metrics", timeout=LONG_S).status_code == 401
        wait_for(lambda: is_healthy(service, Authorization=f"Bearer {SECRET}"))
        assert SECRET not in service.told


@pytest.mark.slow
def test_a_watcher_that_fails_takes_the_page_with_it(small_bundle, tmp_path):
    (tmp_path / "page.mp4").write_text("<html>")
    with served(small_bundle, tmp_path / "page.mp4") as service:
        assert service.ended() == 3
    assert "cannot be read" in service.told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "0.0.0.0"), "--host 0.0.0.0 lets other machines connect: add --token"),
        (("--token", SECRET), "--token does not take the secret itself"),
        slow(("--port", "65536"), "'--port'"),
        slow(("--off", "0.9", "--on", "0.5", "--port", "0"), "--off 0.9 is above --on 0.5"),
    ],
)
def test_a_wrong_command_line_is_told(tmp_path, arguments, told):
    done = subprocess.run(
        command(tmp_path, "/dev/video99", *arguments), capture_output=True, text=True, timeout=LONG_S
    )
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert SECRET not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = subprocess.run(
            command(tmp_path, "/dev/video99", "--port", port), capture_output=True, text=True, timeout=LONG_S
        )
    assert done.returncode == 2
    assert f"--port {port} cannot be listened on (Address already in use)" in done.stderr


@pytest.mark.parametrize("package", [slow("uvicorn"), "starlette", slow("prometheus_client")])
def test_without_the_extra_it_is_told_what_to_install(tmp_path, package):
    missing = f"import sys; sys.modules['{package}'] = None; "
    done = subprocess.run(
        command(tmp_path, "/dev/video99", before=missing), capture_output=True, text=True, timeout=LONG_S
    )
    assert done.returncode == 2
    assert f"serve needs the package {package}" in done.stderr
    assert "pip install 'reelflow[serve]'" in done.stderr


def test_other_commands_load_nothing_of_it():
    program = "import sys, reelflow.cli, reelflow.edge.watch.service; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"starlette", "uvicorn", "prometheus_client"} & set(loaded.stdout.split())
