"""The installer and the hardened unit, on a Debian that systemd has booted."""

import json
from collections.abc import Iterator

import pytest

from reelflow.contracts import Sampling
from tests.bundles import FRAMES, write_small_bundle
from tests.infra.edge.device import SYSTEMD, Device, await_boot, device
from tests.reelflow.edge.camera.http_camera import HttpCamera, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

SERVICE = "reelflow-watch@door"
DROP_IN = "/etc/systemd/system/reelflow-watch@.service.d"
SECRET = "s3cret"
# A container gives its services no user namespace; five seconds let the watchdog bite within a test.
FOR_A_TEST = "[Service]\nPrivateUsers=no\nWatchdogSec=5\nRestartSec=1\n"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, camera: HttpCamera) -> Iterator[Device]:
    """A device with reelflow, a bundle, and a camera that is described but not watched yet."""
    bundle = tmp_path_factory.mktemp("bundle") / "bundle"
    write_small_bundle(bundle, sampling=Sampling(frames=FRAMES, clip_s=1.8))
    with device("amd64", *SYSTEMD, command=("/sbin/init",)) as found:
        await_boot(found)
        told = found.out("/root/dist/install.sh", timeout_s=900)
        assert "is installed; a camera is described in /etc/reelflow/NAME.env" in told
        found.copy(bundle, "/var/lib/bundle")
        found.out("mkdir", "-p", DROP_IN)
        found.write(f"{DROP_IN}/test.conf", FOR_A_TEST)
        options = "OPTIONS=--hop 0.6 --least 0 --on 0.01\n"
        found.write("/etc/reelflow/door.env", f"BUNDLE=/var/lib/bundle\nSOURCE={camera.address}\n{options}")
        found.out("systemctl", "daemon-reload")
        yield found


@pytest.fixture
def watching(installed: Device) -> Iterator[Device]:
    installed.run("systemctl", "reset-failed", SERVICE)
    installed.out("systemctl", "start", SERVICE)
    yield installed
    installed.run("systemctl", "stop", SERVICE)


def shown(found: Device, name: str) -> str:
    return found.out("systemctl", "show", "--value", f"--property={name}", SERVICE).strip()


def lines(found: Device) -> list[dict[str, object]]:
    """What the service has told so far, over all its starts."""
    journal = found.out("journalctl", "--output=cat", f"--unit={SERVICE}").splitlines()
    return [json.loads(line) for line in journal if line.startswith("{")]


def test_a_camera_is_watched_by_the_hardened_unit(watching: Device):
    assert shown(watching, "ActiveState") == "active"
    wait_for(lambda: any(one["kind"] == "event" for one in lines(watching)), 60)
    assert shown(watching, "StatusText").endswith("connected")
    journal = watching.out("journalctl", f"--unit={SERVICE}")
    commands = watching.out("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert SECRET not in journal + commands
    status = watching.out("cat", f"/proc/{shown(watching, 'MainPID')}/status")
    user = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert 61184 <= int(user) <= 65519, "a dynamic user (systemd.exec(5), DynamicUser=)"


def test_a_stop_ends_the_event_and_is_a_success(watching: Device):
    wait_for(lambda: any(one["kind"] == "event" for one in lines(watching)), 60)
    watching.out("systemctl", "stop", SERVICE)
    assert (shown(watching, "Result"), shown(watching, "ExecMainStatus")) == ("success", "0")
    last = [one for one in lines(watching) if one["kind"] == "event"][-1]
    assert (last["phase"], last["reason"]) == ("end", "stopped")


def test_a_service_that_hangs_is_started_again(watching: Device):
    before = shown(watching, "MainPID")
    watching.out("sh", "-c", f"kill -STOP {before}")
    wait_for(lambda: shown(watching, "MainPID") not in (before, "0"), 60)
    wait_for(lambda: shown(watching, "ActiveState") == "active", 60)


def test_a_damaged_bundle_is_watched_with_once_a_sound_one_takes_its_place(installed: Device):
    installed.out("cp", "-a", "/var/lib/bundle", "/var/lib/sound")
    installed.out("sh", "-c", "printf x >>/var/lib/bundle/head.tflite")
    assert installed.run("systemctl", "start", SERVICE).returncode != 0
    assert shown(installed, "ExecMainStatus") == "5"
    health = json.loads(installed.out("cat", "/run/reelflow/door/health.json"))
    assert (health["bundle"], health["answering_s"]) == ("bundle", 0)
    installed.out("sh", "-c", "rm -r /var/lib/bundle; mv /var/lib/sound /var/lib/bundle")
    wait_for(lambda: shown(installed, "ActiveState") == "active", 60)
    installed.out("systemctl", "stop", SERVICE)


def test_a_second_installation_restarts_what_watches(watching: Device):
    before = shown(watching, "MainPID")
    watching.out("/root/dist/install.sh", timeout_s=900)
    wait_for(lambda: shown(watching, "MainPID") not in (before, "0"), 60)
    assert len(watching.out("ls", "/opt/reelflow-versions").split()) == 1


def test_a_file_that_was_altered_on_the_way_is_not_installed(installed: Device):
    installed.out("cp", "-a", "/root/dist", "/root/altered")
    installed.out("sh", "-c", "printf x >>/root/altered/edge.txt")
    done = installed.run("/root/altered/install.sh")
    assert done.returncode == 1
    assert "a file is not as it was built" in done.stdout


def test_what_is_removed_is_gone(watching: Device):
    watching.out("/root/dist/install.sh", "--uninstall")
    assert watching.run("reelflow", "--version").returncode != 0
    assert watching.out("systemctl", "list-units", "--plain", "--no-legend", "reelflow-watch@*") == ""
    assert watching.out("ls", "/etc/reelflow").split() == ["door.env"]
