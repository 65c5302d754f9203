"""An update outlives a power cut at every moment: a whole bundle is in use, and the next update ends well.

The operations are those of a real process. From them come every prefix, and for each what a disk may have
lost of what was not synced.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.edge.update.agent import agent as agent_module
from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
from reelflow.edge.update.channel.client import ChannelClient
from tests.channel.desk import Desk
from tests.device_bundles import named_bundles
from tests.power_cut.disk import Disk
from tests.power_cut.operations import Operation, legal_losses
from tests.power_cut.record import record
from tests.workplace import ROOT

pytestmark = pytest.mark.slow

LEAST_STATES, LEAST_KILLS = 300, 20
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
OPTIONS = DeviceOptions(device="device-1")
SCRIPT = """
import sys
from pathlib import Path
from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
from reelflow.edge.update.channel.client import ChannelClient

device, channel, verb = sys.argv[1:]
agent = DeviceAgent(Path(device), DeviceOptions(device="device-1"))
outcome = {
    "apply": lambda: agent.apply(ChannelClient(Path(device, "channel"), channel)),
    "confirm": agent.confirm,
    "rollback": lambda: agent.rollback("by hand"),
}[verb]()
assert outcome.action in ("on trial", "confirmed", "rolled back"), outcome
"""


class Recorded:
    """A device before an update from a real channel, and what the update does to its folder."""

    def __init__(self, small: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        desk = Desk(folder, patch)
        self._folder, self._channel = folder, desk.channel
        self.device = folder / "device"
        bundles = folder / "bundles"
        bundles.mkdir()
        self.ids = named_bundles(small, bundles, "one", "two")
        desk.done("init", "--new-keys", desk.keys)
        for name in ("one", "two"):
            desk.publish(bundles / self.ids[name])
            if name == "one":
                (self.device / "channel").mkdir(parents=True)
                shutil.copy(desk.root, self.device / "channel" / "root.json")
                agent = DeviceAgent(self.device, OPTIONS)
                agent.apply(self.channel_of(self.device))
                agent.confirm()

    def channel_of(self, device: Path) -> ChannelClient:
        return ChannelClient(device / "channel", str(self._channel))

    def operations(self, verb: str) -> tuple[Disk, list[Operation]]:
        """The folder before, and the operations of one call of the agent in a process."""
        return record(self.command(verb), self.device, ENVIRONMENT, self._folder / "strace.log")

    def command(self, verb: str) -> list[str]:
        """A call of the agent, as a process."""
        script = self._folder / "script.py"
        script.write_text(SCRIPT)
        return [sys.executable, "-B", str(script), *map(str, (self.device, self._channel, verb))]


@pytest.fixture
def recorded(small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    if shutil.which("strace") is None:
        pytest.skip("no strace (apt-get install strace)")
    return Recorded(small_bundle, tmp_path, monkeypatch)


@pytest.fixture(autouse=True)
def tested_here(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundles that come after a cut are tested without a process of their own: there are hundreds."""
    monkeypatch.setattr(agent_module, "examine_apart", lambda _folder, _limits: None)


def states(before: Disk, operations: list[Operation]) -> Iterator[Disk]:
    """Every state that differs from the others, in order."""
    seen = set()
    for cut in range(len(operations) + 1):
        for kept in legal_losses(operations[:cut]):
            disk = before.copy()
            for operation in kept:
                disk.apply(operation)
            form = disk.seen_from_root()
            if form not in seen:
                seen.add(form)
                yield disk


@pytest.mark.parametrize("verb", ["apply", "confirm", "rollback"])
def test_a_power_cut_at_any_moment_leaves_a_whole_bundle_in_use(
    recorded: Recorded, tmp_path: Path, verb: str
) -> None:
    if verb != "apply":
        DeviceAgent(recorded.device, OPTIONS).apply(recorded.channel_of(recorded.device))
    before, operations = recorded.operations(verb)
    count = 0
    for disk in states(before, operations):
        count += 1
        device = tmp_path / "cut"
        disk.write_out(device)
        assert open_bundle(device / "current").report.name in ("one", "two"), f"state {count}"
        agent = DeviceAgent(device, OPTIONS)
        agent.settle()
        assert open_bundle(device / "current").report.name in ("one", "two"), f"state {count}"
        outcome = agent.apply(recorded.channel_of(device), again=True)
        assert outcome.action in ("on trial", "unchanged"), f"state {count}: {outcome}"
        agent.confirm()
        assert open_bundle(device / "current").report.name == "two", f"state {count}"
        shutil.rmtree(device)
    print(f"\n{verb}: {len(operations)} operations, {count} states")  # noqa: T201
    assert count >= (LEAST_STATES if verb == "apply" else 4)


NAMED = "fsync,rename,renameat2,symlink,unlink,unlinkat,mkdir,rmdir"


def test_a_kill_at_any_operation_leaves_a_whole_bundle_in_use(recorded: Recorded, tmp_path: Path) -> None:
    """The kernel kills the process as it begins its first, second, ... operation on a folder or a disk."""
    pristine = Disk.of(recorded.device)
    kills = 0
    while True:
        kills += 1
        shutil.rmtree(recorded.device)
        pristine.write_out(recorded.device)
        kill = ("-e", f"trace={NAMED}", "-e", f"inject={NAMED}:signal=KILL:when={kills}")
        log = tmp_path / "strace.log"
        done = subprocess.run(["strace", "-o", log, *kill, *recorded.command("apply")], env=ENVIRONMENT)
        assert open_bundle(recorded.device / "current").report.name in ("one", "two"), f"kill {kills}"
        agent = DeviceAgent(recorded.device, OPTIONS)
        agent.settle()
        assert agent.apply(recorded.channel_of(recorded.device), again=True).action in (
            "on trial",
            "unchanged",
        ), f"kill {kills}"
        assert open_bundle(recorded.device / "current").report.name == "two", f"kill {kills}"
        if done.returncode == 0:
            break
    print(f"\nkilled {kills - 1} times")  # noqa: T201
    assert kills > LEAST_KILLS
