"""Each device speaks for itself, where an operator wants that; a real receiver, and what it says."""

import base64
import hmac
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.fleet import access
from pipelines.fleet.access import Credentials, DeviceTokens, SharedToken, credentials_of
from pipelines.fleet.store import FleetStore
from reelflow.edge.update.agent.report import ReportPost
from reelflow.errors import ParamsError
from reelflow.objectstore.directory import DirectoryStore
from tests.command import CommandGroup
from tests.pipelines.fleet.reports import free_port, report, wait_until_ready
from tests.workplace import ROOT

DOOR, YARD = "d" * 32, "e" * 32


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    folder = tmp_path / "tokens"
    folder.mkdir()
    (folder / "door").write_text(f"{DOOR}\n")
    (folder / "yard").write_text(f"{YARD}\n")
    (tmp_path / "outside").write_text("f" * 32)
    return folder


class Receiver:
    """A receiver that runs; what it has kept and said."""

    def __init__(self, folder: Path, tokens: Path) -> None:
        self.port, self._folder = free_port(), folder / "fleet"
        command = [sys.executable, "-m", "pipelines", "fleet", "receive", str(self._folder)]
        command += ["--tokens", str(tokens), "--port", str(self.port)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=os.environ
        )
        wait_until_ready(self.port)

    def told(self, user: str, token: str, device: str) -> str:
        """Why a device's report is not taken; empty if it is."""
        return ReportPost(f"http://{user}:{token}@127.0.0.1:{self.port}/report").send(report(device))

    def status(self, header: str) -> int:
        body = report("door").to_json().encode()
        headers = {"Authorization": header} if header else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/report", body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code

    @property
    def devices(self) -> list[str]:
        return [heard.report.device for heard in FleetStore(DirectoryStore(self._folder)).reports()]

    def end(self) -> str:
        """What it has written."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)[0]


@pytest.fixture
def receiver(tmp_path: Path, tokens: Path) -> Iterator[Receiver]:
    running = Receiver(tmp_path, tokens)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def test_a_device_speaks_for_itself_and_for_no_other(receiver: Receiver, tokens: Path) -> None:
    assert receiver.told("door", DOOR, "door") == ""
    assert "403" in receiver.told("door", DOOR, "yard")
    assert "401" in receiver.told("yard", DOOR, "yard")
    assert "401" in receiver.told("nobody", DOOR, "nobody")
    assert receiver.status("") == 401
    assert receiver.status(f"Bearer {DOOR}") == 401, "a bearer token names no device"
    outside = base64.b64encode(f"../outside:{'f' * 32}".encode()).decode()
    assert receiver.status(f"Basic {outside}") == 401
    assert receiver.devices == ["door"]
    (tokens / "gate").write_text("g" * 32)
    assert receiver.told("gate", "g" * 32, "gate") == ""
    (tokens / "door").unlink()
    assert "401" in receiver.told("door", DOOR, "door")
    assert receiver.devices == ["door", "gate"]
    said = receiver.end()
    assert not [token for token in (DOOR, YARD, "f" * 32, "g" * 32) if token in said]


def test_a_shared_token_speaks_for_all() -> None:
    shared = SharedToken(DOOR)
    assert shared.is_right(Credentials("anybody", DOOR))
    assert not shared.is_right(Credentials("anybody", YARD))
    assert shared.may_tell(Credentials("door", DOOR), "yard")


def test_tokens_are_compared_in_constant_time_and_those_of_unknown_devices_too(
    tokens: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared, really = [], hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append(len(other))
        return really(one, other)

    monkeypatch.setattr(access.hmac, "compare_digest", compare)
    found = DeviceTokens(tokens)
    assert [found.is_right(Credentials(user, DOOR)) for user in ("door", "yard", "nobody", "")] == [
        True, False, False, False,
    ]  # fmt: skip
    assert len(compared) == 4


def test_a_secret_is_not_shown() -> None:
    assert DOOR not in repr(credentials_of(f"Bearer {DOOR}"))
    assert credentials_of("Basic !!!") is None
    assert credentials_of("Basic \xe9") is None, "a header may hold any byte"
    assert credentials_of("Digest x") is None


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [("door", "short", "expected 16 to 512"), ("a b", DOOR, "is not an id of a device")],
)
def test_a_file_that_holds_no_token_is_told_at_the_start(
    tokens: Path, name: str, content: str, told: str
) -> None:
    (tokens / name).write_text(content)
    with pytest.raises(ParamsError, match=told):
        DeviceTokens(tokens)


def test_one_of_both_is_named(tmp_path: Path, tokens: Path) -> None:
    fleet = CommandGroup()
    fleet.group = "fleet"
    assert "name one" in str(fleet.error("receive", tmp_path))
    assert "name one" in str(fleet.error("receive", tmp_path, "--token", "env:TOKEN", "--tokens", tokens))
    assert "cannot be read" in str(fleet.error("receive", tmp_path, "--tokens", tmp_path / "none"))
