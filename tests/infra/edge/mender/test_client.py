"""Mender's own client, standalone, with the update module. Debian has mender-client and mender-artifact."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.bundles import renamed_bundle
from tests.device_bundles import bundle_id, spoilt_bundle
from tests.infra.edge.mender.place import MODULE, MenderDevice, archive_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (shutil.which("mender") and shutil.which("mender-artifact")),
        reason="mender-client and mender-artifact are not installed (Debian has them)",
    ),
]
NOTHING_TO_COMMIT = 2
MODULES = "/usr/share/mender/modules/v3"  # which the client is built with
APART = ("unshare", "--mount")  # it sees files that nobody else sees


class MenderClient:
    """The client's state, its configuration, and artifacts."""

    def __init__(self, device: MenderDevice, folder: Path) -> None:
        self.device, self._folder, self._data = device, folder, folder / "mender"
        self._modules = folder / "modules"
        self._modules.mkdir()
        shutil.copy(MODULE, self._modules)
        self._data.mkdir()
        (self._data / "device_type").write_text("device_type=pi\n")
        self._settings = folder / "etc"
        self._settings.mkdir()
        (self._settings / "artifact_info").write_text("artifact_name=first\n")
        self._configuration = self._settings / "mender.conf"
        self._configuration.write_text(json.dumps({"ServerURL": "https://localhost"}))

    def artifact(self, bundle: Path) -> Path:
        archive = archive_of(bundle, self._folder / "bundle.tar")
        made = self._folder / f"{bundle.name}.mender"
        named = ["-T", MODULE.name, "-n", bundle.name, "-t", "pi", "-f", archive, "-o", made]
        subprocess.run(["mender-artifact", "write", "module-image", *named], check=True)
        return made

    def run(self, *arguments: object) -> "subprocess.CompletedProcess[str]":
        options = ["--data", self._data, "--config", self._configuration, "--no-syslog"]
        mounts = {self._modules: MODULES, self._settings: "/etc/mender"}
        there = "".join(f"mount --bind {source} {target} && " for source, target in mounts.items())
        return subprocess.run(
            [
                *APART,
                "sh",
                "-c",
                f'{there}exec mender "$@"',
                "mender",
                *map(str, options),
                *map(str, arguments),
            ],
            env=self.device.environment,
            capture_output=True,
            text=True,
        )

    @property
    def artifact_name(self) -> str:
        return self.run("show-artifact").stdout.strip()


@pytest.fixture
def client(tmp_path: Path, edge_bundle: Path) -> MenderClient:
    if subprocess.run([*APART, "true"], capture_output=True).returncode:
        pytest.skip("mounts of its own are not allowed here: run this as root")
    device = MenderDevice(tmp_path, edge_bundle)
    device.run_first()
    return MenderClient(device, tmp_path)


def test_mender_installs_and_commits(client: MenderClient, tmp_path: Path) -> None:
    two = renamed_bundle(client.device.first, tmp_path / "two", "two")
    done = client.run("install", client.artifact(two))
    assert done.returncode == 0, done.stderr
    assert client.device.in_use == bundle_id(two)
    client.device.answers(two)
    done = client.run("commit")
    assert done.returncode == 0, done.stderr
    assert client.artifact_name == "two"
    assert client.device.agent.current == bundle_id(two)


def test_mender_rolls_back_what_no_watcher_confirms(client: MenderClient, tmp_path: Path) -> None:
    two = renamed_bundle(client.device.first, tmp_path / "two", "two")
    assert client.run("install", client.artifact(two)).returncode == 0
    assert client.run("commit").returncode != 0
    assert client.artifact_name != "two"
    assert client.device.in_use == bundle_id(client.device.first)
    assert client.run("commit").returncode == NOTHING_TO_COMMIT


def test_mender_is_told_of_a_bad_bundle_and_can_roll_back_by_hand(
    client: MenderClient, tmp_path: Path
) -> None:
    spoilt = tmp_path / spoilt_bundle(client.device.first, tmp_path)
    done = client.run("install", client.artifact(spoilt))
    assert done.returncode != 0
    assert "its self-test fails" in done.stderr
    assert client.device.in_use == bundle_id(client.device.first)
    two = renamed_bundle(client.device.first, tmp_path / "two", "two")
    assert client.run("install", client.artifact(two)).returncode == 0
    assert client.run("rollback").returncode == 0
    assert client.device.in_use == bundle_id(client.device.first)
    assert client.artifact_name != "two"
