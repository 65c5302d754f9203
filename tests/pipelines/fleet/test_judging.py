"""A rollout is stopped by what its devices tell, and by nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipelines.__main__ import app
from pipelines.fleet.store import FleetStore
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.objectstore.directory import DirectoryStore
from tests.device_bundles import named_bundles

ROLES = ("targets", "snapshot", "timestamp")


class Publisher:
    """A channel with two published bundles, the second for the group `canary`."""

    def __init__(self, small: Path, folder: Path) -> None:
        bundles = folder / "bundles"
        bundles.mkdir()
        self.ids = named_bundles(small, bundles, "one", "two")
        self._common = ["--channel", str(folder / "channel"), "--root", str(folder / "root.json")]
        self.run("init", "--new-keys", str(folder / "keys"))
        self.keys = [f"--key={role}=file:{folder / 'keys' / role}.pem" for role in ROLES]
        self._bundles = bundles
        self.fleet = FleetStore(DirectoryStore(folder / "fleet"))
        self._fleet = str(folder / "fleet")

    def publish(self, name: str, *options: str) -> None:
        self.run("publish", "--bundle", str(self._bundles / self.ids[name]), *self.keys, *options)

    def judge(self, *options: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["channel", "judge", self._fleet, *self._common, *self.keys, *options])
        return done.exit_code, done.output

    def run(self, *arguments: str) -> None:
        done = CliRunner().invoke(app, ["channel", *arguments, *self._common])
        assert done.exit_code == 0, done.output

    def tell(self, devices: Sequence[str], **values: object) -> None:
        document = {
            "group": "canary",
            "told_at": "2026-11-27T00:00:00Z",
            "version": "1",
            "architecture": "aarch64",
            "current": self.ids["one"],
            "previous": None,
            "trial": None,
            "refused": [],
            "watchers": {},
            "counts": [],
        }
        for device in devices:
            self.fleet.put(DeviceReport.model_validate({"device": device, **document, **values}))


@pytest.fixture
def publisher(edge_bundle: Path, tmp_path: Path) -> Publisher:
    found = Publisher(edge_bundle, tmp_path)
    found.publish("one")
    return found


def test_a_rollout_whose_canaries_fail_is_stopped_for_all(publisher: Publisher) -> None:
    publisher.publish("two", "--group", "canary", "--percent", "0")
    publisher.tell(["one", "two"], current=publisher.ids["two"])
    publisher.tell(["far"], group="")
    assert publisher.judge() == (0, publisher.judge()[1])
    publisher.tell(["three"], refused=[{"bundle": publisher.ids["two"], "reason": "it hangs"}])
    code, told = publisher.judge()
    assert code != 0
    assert "is aborted: 1 of 3 devices fail or are silent: it hangs" in told
    assert publisher.judge()[0] == 0  # it has been stopped


def test_a_few_failures_may_be_allowed(publisher: Publisher) -> None:
    publisher.publish("two", "--group", "canary", "--percent", "0")
    publisher.tell(["one", "two", "three"], current=publisher.ids["two"])
    publisher.tell(["four"], refused=[{"bundle": publisher.ids["two"], "reason": "it hangs"}])
    code, told = publisher.judge("--most-bad", "25")
    assert (code, "4 devices: 1 failed, 3 runs it" in told) == (0, True)
    assert publisher.judge("--least", "2")[0] == 0
    assert publisher.judge("--most-bad", "24")[0] != 0


def test_a_first_bundle_that_fails_is_paused_as_there_is_none_to_go_back_to(publisher: Publisher) -> None:
    publisher.tell(["one"], current=None, refused=[{"bundle": publisher.ids["one"], "reason": "it hangs"}])
    code, told = publisher.judge()
    assert code != 0
    assert "is paused" in told
