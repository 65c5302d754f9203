"""The update service under the systemd of a Debian: it follows a channel, and cameras follow it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.contracts import Sampling
from tests.bundles import FRAMES, WINDOW_S, renamed_bundle, write_small_bundle
from tests.channel.desk import Desk
from tests.channel.file_server import serving
from tests.device_bundles import bundle_id, hungry_bundle, spoilt_bundle
from tests.infra.edge.device import SYSTEMD, Device, await_boot, device
from tests.reelflow.edge.camera.http_camera import HttpCamera, wait_for

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

UPDATE, WATCH = "reelflow-update", "reelflow-watch@door"
TIMER = Path("infra/edge/reelflow-update.timer")
STATE = "/var/lib/reelflow-bundles"
FOR_A_TEST = "[Service]\nPrivateUsers=no\nRestartSec=1\n"  # a container gives its services no user namespace
HUNGRY_SIDE = 9500  # 361 MB: within a self-test of 512 MB, and with the rest beyond a camera's 400 MB
MORE_MEMORY = (
    "[Service]\nMemoryMax=700M\n"  # of the agent, where somebody allows a self-test more than a camera has
)
OPTIONS = "--test-mb 512 --group lab --every 5s --well-after 5s --give-up 20s --device lab-1"


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle: Path = tmp_path_factory.mktemp("bundle") / "one"
    write_small_bundle(bundle, sampling=Sampling(frames=FRAMES, clip_s=WINDOW_S))
    return bundle


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, one: Path) -> Iterator[Desk]:
    """A channel with a first bundle."""
    with pytest.MonkeyPatch.context() as patch:
        found = Desk(tmp_path_factory.mktemp("desk"), patch)
        found.done("init", "--new-keys", found.keys)
        found.publish(one)
        yield found


@pytest.fixture(scope="module")
def installed(desk: Desk, camera: HttpCamera) -> Iterator[Device]:
    """A device with reelflow, the channel's root, and a camera that takes what the channel says."""
    with (
        serving(desk.channel) as server,
        device("amd64", *SYSTEMD, command=("/sbin/init",)) as found,
    ):
        await_boot(found)
        found.out("/root/dist/install.sh", timeout_s=900)
        for unit in (f"{UPDATE}.service.d", "reelflow-watch@.service.d"):
            found.out("mkdir", "-p", f"/etc/systemd/system/{unit}")
            found.write(f"/etc/systemd/system/{unit}/test.conf", FOR_A_TEST)
        found.write(f"/etc/systemd/system/{UPDATE}.service.d/memory.conf", MORE_MEMORY)
        found.copy(desk.root, "/root/root.json")
        found.out("install", "-D", "--mode=0644", "/root/root.json", f"{STATE}/channel/root.json")
        found.write("/etc/reelflow/update.env", f"CHANNEL={server.address}\nOPTIONS={OPTIONS}\n")
        camera_options = "OPTIONS=--hop 0.6 --least 0 --on 0.01\n"
        found.write(
            "/etc/reelflow/door.env", f"BUNDLE={STATE}/current\nSOURCE={camera.address}\n{camera_options}"
        )
        found.out("systemctl", "daemon-reload")
        yield found


def told(found: Device) -> list[tuple[str, str]]:
    """What the agent has said, over all its starts: action and bundle."""
    journal = found.out("journalctl", "--output=cat", f"--unit={UPDATE}").splitlines()
    lines = [json.loads(line) for line in journal if line.startswith("{")]
    return [(line["action"], line["bundle"]) for line in lines]


def current(found: Device) -> str:
    return Path(found.out("readlink", f"{STATE}/current").strip()).name


def watched_with(found: Device) -> str:
    """The bundle of a camera that has answered since its last start."""
    health = json.loads(found.out("cat", "/run/reelflow/door/health.json"))
    return str(health["bundle"]) if health["answering_s"] > 0 else ""


def property_of(found: Device, name: str) -> str:
    return found.out("systemctl", "show", "--value", f"--property={name}", UPDATE).strip()


def test_a_device_follows_its_channel(installed: Device, desk: Desk, one: Path, tmp_path: Path) -> None:
    first = bundle_id(one)
    installed.out("systemctl", "start", UPDATE)
    wait_for(lambda: ("on trial", first) in told(installed), 120)
    installed.out("systemctl", "start", WATCH)
    wait_for(lambda: ("confirmed", first) in told(installed), 120)
    assert first[:12] in property_of(installed, "StatusText")
    two = renamed_bundle(one, tmp_path / "two", "two")
    desk.publish(two)
    wait_for(lambda: ("confirmed", bundle_id(two)) in told(installed), 120)
    assert current(installed) == bundle_id(two)
    health = json.loads(installed.out("cat", "/run/reelflow/door/health.json"))
    assert health["bundle"] == bundle_id(two), "the running camera has taken it"
    spoilt = spoilt_bundle(two, tmp_path)
    desk.publish(tmp_path / spoilt)
    wait_for(lambda: ("refused", spoilt) in told(installed), 120)
    assert current(installed) == bundle_id(two)
    installed.out("systemctl", "stop", WATCH)
    three = renamed_bundle(one, tmp_path / "three", "three")
    desk.publish(three)
    wait_for(lambda: ("rolled back", bundle_id(three)) in told(installed), 180)
    assert current(installed) == bundle_id(two)
    installed.out("systemctl", "start", WATCH)
    wait_for(lambda: installed.run("systemctl", "is-active", WATCH).stdout.strip() == "active", 60)


def test_a_bundle_whose_cameras_are_killed_for_memory_goes_back(
    installed: Device, desk: Desk, one: Path, tmp_path: Path
) -> None:
    """Somebody has given the self-test more than cameras have (`--test-mb`): what it lets pass goes back."""
    installed.out("systemctl", "start", UPDATE, WATCH)
    wait_for(lambda: watched_with(installed) == current(installed), 120)
    before = current(installed)
    hungry = bundle_id(bundle := hungry_bundle(one, tmp_path / "hungry", HUNGRY_SIDE))
    desk.publish(bundle)
    wait_for(lambda: ("on trial", hungry) in told(installed), 120)
    wait_for(lambda: ("rolled back", hungry) in told(installed), 180)
    journal = installed.out("journalctl", "--output=cat", f"--unit={UPDATE}", f"--unit={WATCH}")
    assert "a watcher starts with it again and again" in journal
    assert "code=killed, status=9/KILL" in journal
    assert current(installed) == before
    wait_for(lambda: watched_with(installed) == before, 60)


def test_a_killed_agent_is_started_again_and_goes_on(installed: Device) -> None:
    installed.out("systemctl", "start", UPDATE)
    before = property_of(installed, "MainPID")
    installed.out("systemctl", "kill", "--signal=KILL", UPDATE)
    wait_for(lambda: property_of(installed, "MainPID") not in (before, "0"), 60)
    assert current(installed) != ""


def test_the_agent_may_write_nothing_but_its_state(installed: Device) -> None:
    installed.out("systemctl", "start", UPDATE)
    pid = property_of(installed, "MainPID")
    status = installed.out("cat", f"/proc/{pid}/status")
    user = next(line.split()[1] for line in status.splitlines() if line.startswith("Uid:"))
    assert user != "0"
    mounts = installed.out("cat", f"/proc/{pid}/mounts").splitlines()
    writable = {line.split()[1] for line in mounts if "rw" in line.split()[3].split(",")}
    assert STATE in writable
    assert "/" not in writable


def test_a_timer_takes_its_place(installed: Device) -> None:
    installed.out("systemctl", "disable", "--now", UPDATE)
    comments = [line[4:] for line in TIMER.read_text().splitlines() if line.startswith("#   ")]
    drop_in = f"/etc/systemd/system/{UPDATE}.service.d/timer.conf"
    installed.write(drop_in, "\n".join(comments) + "\n")
    options = OPTIONS.replace("--every 5s ", "")
    installed.out("sed", "-i", f"s/^OPTIONS=.*/OPTIONS={options}/", "/etc/reelflow/update.env")
    quick = "[Timer]\nOnBootSec=\nOnActiveSec=1s\nRandomizedDelaySec=0\n"
    installed.out("mkdir", "-p", f"/etc/systemd/system/{UPDATE}.timer.d")
    installed.write(f"/etc/systemd/system/{UPDATE}.timer.d/test.conf", quick)
    installed.out("systemctl", "daemon-reload")
    before = len(told(installed))
    installed.out("systemctl", "enable", "--now", f"{UPDATE}.timer")
    wait_for(lambda: len(told(installed)) > before, 60)
    wait_for(lambda: property_of(installed, "ActiveState") in ("inactive", "failed"), 60)
    assert property_of(installed, "Type") == "oneshot"
