"""Keys of a PKCS#11 token (SoftHSM) sign a channel, by the commands of docs/channel.md."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.bundles import write_small_bundle
from tests.channel.fleet import Device
from tests.workplace import ROOT

LIBRARIES = sorted(Path("/usr/lib").glob("**/libsofthsm2.so"))
PIN = "5678"
ADA, GRACE, NOBODY = "of Ada", "of Grace", "of nobody"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (LIBRARIES and shutil.which("softhsm2-util") and shutil.which("pkcs11-tool")),
        reason="softhsm2 and opensc are not installed (Debian has them)",
    ),
    pytest.mark.skipif(not find_spec("pkcs11"), reason="securesystemslib's extra `hsm` is not installed"),
]


@dataclass(frozen=True)
class Tokens:
    """Two tokens with two P-256 keys each, which never leave them."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        configuration = str(self.folder / "softhsm2.conf")
        return os.environ | {"SOFTHSM2_CONF": configuration, "PYKCS11LIB": str(LIBRARIES[0])}

    def make(self) -> None:
        (self.folder / "tokens").mkdir()
        (self.folder / "softhsm2.conf").write_text(f"directories.tokendir = {self.folder}/tokens\n")
        for label in (ADA, GRACE):
            pins = ("--so-pin", "12345678", "--pin", PIN)
            self._run("softhsm2-util", "--init-token", "--free", "--label", label, *pins)
            for number in (2, 3):
                self._make_key(label, number)

    def _make_key(self, label: str, number: int) -> None:
        tool = ("pkcs11-tool", "--module", LIBRARIES[0], "--token-label", label)
        generated = ("--keypairgen", "--key-type", "EC:prime256v1", "--id", f"0{number}")
        self._run(*tool, "--login", "--pin", PIN, *generated)
        der, pem = self.folder / "public.der", self.public(number, label)
        self._run(*tool, "--read-object", "--type", "pubkey", "--id", f"0{number}", "-o", der)
        self._run("openssl", "pkey", "-pubin", "-inform", "DER", "-in", der, "-out", pem)

    def public(self, number: int, label: str = ADA) -> Path:
        return self.folder / f"{label.split()[-1]}{number}.pem"

    def key(self, number: int, label: str = ADA, public: Path | None = None) -> str:
        """As the docs write it: a space of the label is a `+`."""
        return f"hsm:{number}?label={label.replace(' ', '+')}#{public or self.public(number, label)}"

    def _run(self, *command: object) -> None:
        subprocess.run([*map(str, command)], env=self.environment, check=True, capture_output=True)


class TokenDesk:
    """A publisher whose targets a token signs; the files of the other roles are encrypted.

    Each call is a process: SoftHSM's library crashes in one that has used TensorFlow, as these tests have.
    """

    def __init__(self, tokens: Tokens, folder: Path) -> None:
        self.keys = folder / "keys"
        self.channel, self.root = folder / "channel", folder / "root.json"
        self.environment = tokens.environment | {
            "PYTHONPATH": os.pathsep.join(one for one in (str(ROOT), os.environ.get("PYTHONPATH")) if one),
            "REELFLOW_CHANNEL": str(self.channel),
            "REELFLOW_CHANNEL_ROOT": str(self.root),
            "REELFLOW_KEY_PASSPHRASE": "another word",
            "REELFLOW_KEY_PIN": PIN,
            "COLUMNS": "200",
        }

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "pipelines.channel", *map(str, arguments)]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    def done(self, *arguments: object) -> str:
        found = self.run(*arguments)
        assert found.returncode == 0, found.stderr
        return found.stdout

    def refused(self, *arguments: object) -> str:
        """The message of a call that is not signed."""
        found = self.run(*arguments)
        assert (found.returncode, "Traceback" in found.stderr) == (11, False), found.stderr
        return found.stderr

    def files(self, *roles: str) -> list[str]:
        return [f"--key={role}=file:{self.keys / role}.pem" for role in roles]

    def publish(self, bundle: Path, targets: str) -> tuple[object, ...]:
        return (
            "publish",
            "--bundle",
            bundle,
            f"--key=targets={targets}",
            *self.files("snapshot", "timestamp"),
        )

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.done("status", "--json"))
        return found

    def taken_by(self, folder: Path) -> str:
        """The bundle that a device takes."""
        device = Device(folder, self.root, str(self.channel))
        device.now = datetime.now(UTC)
        return device.update().report.name


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Tokens:
    found = Tokens(tmp_path_factory.mktemp("tokens"))
    found.make()
    return found


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("bundle") / "one"
    write_small_bundle(folder)
    return folder


@pytest.fixture
def desk(tokens: Tokens, tmp_path: Path) -> TokenDesk:
    found = TokenDesk(tokens, tmp_path)
    found.done("init", "--new-keys", found.keys, f"--key=targets={tokens.key(2)}")
    return found


def test_a_token_publishes_to_a_device(desk: TokenDesk, tokens: Tokens, bundle: Path, tmp_path: Path) -> None:
    assert sorted(path.stem for path in desk.keys.iterdir()) == ["root", "snapshot", "timestamp"]
    assert "7 of 7 files uploaded" in desk.done(*desk.publish(bundle, tokens.key(2)))
    assert desk.taken_by(tmp_path / "device")


def test_a_role_moves_to_another_key_of_the_token(
    desk: TokenDesk, tokens: Tokens, bundle: Path, tmp_path: Path
) -> None:
    rest = desk.files("root", "snapshot", "timestamp")
    desk.done("rotate-key", "targets", "--new", tokens.key(3), f"--key=targets={tokens.key(2)}", *rest)
    assert "targets is signed by 0 of its keys" in desk.refused(*desk.publish(bundle, tokens.key(2)))
    desk.done(*desk.publish(bundle, tokens.key(3)))
    assert desk.taken_by(tmp_path / "device")


def test_a_root_that_two_people_sign(tokens: Tokens, bundle: Path, tmp_path: Path) -> None:
    desk = TokenDesk(tokens, tmp_path)
    both = [f"--key=root={tokens.key(2, label)}" for label in (ADA, GRACE)]
    desk.done("init", "--new-keys", desk.keys, "--threshold", "root=2", *both)
    new = ("rotate-key", "targets", "--new", tokens.key(3), *desk.files("targets", "snapshot", "timestamp"))
    assert "root is signed by 1 of its keys, and needs 2" in desk.refused(*new, both[0])
    desk.done(*new, *both)
    desk.done(*desk.publish(bundle, tokens.key(3)))
    assert desk.taken_by(tmp_path / "device")


@pytest.mark.parametrize(
    ("pin", "told"),
    [("0000", "PinIncorrect"), ("", "the pin of hsm:2?label=of+Ada is missing: set REELFLOW_KEY_PIN")],
    ids=["wrong", "none"],
)
def test_without_its_pin_a_token_signs_nothing(
    pin: str, told: str, desk: TokenDesk, tokens: Tokens, bundle: Path
) -> None:
    before = desk.status()
    desk.environment["REELFLOW_KEY_PIN"] = pin
    assert told in desk.refused(*desk.publish(bundle, tokens.key(2)))
    assert desk.status() == before


def test_what_is_not_on_the_token_is_told(desk: TokenDesk, tokens: Tokens, bundle: Path) -> None:
    absent = tokens.key(2, NOBODY, public=tokens.public(2))
    assert f"No PKCS#11 token found for label {NOBODY}" in desk.refused(*desk.publish(bundle, absent))
    swapped = tokens.key(3, public=tokens.public(2))
    assert "targets is signed by 0 of its keys" in desk.refused(*desk.publish(bundle, swapped))
    del desk.environment["PYKCS11LIB"]
    assert "PYKCS11LIB" in desk.refused(*desk.publish(bundle, tokens.key(2)))
