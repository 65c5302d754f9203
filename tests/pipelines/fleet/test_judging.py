"""A rollout is stopped by what its devices tell, and by nothing else."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.fleet.store import FleetStore
from reelflow.edge.update.agent.report import DeviceReport
from reelflow.objectstore.directory import DirectoryStore
from tests.channel.desk import ROLES, Desk
from tests.device_bundles import named_bundles


class Rollouts:
    """A channel with published bundles, and what devices tell of them."""

    def __init__(self, small: Path, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self._bundles = folder / "bundles"
        self._bundles.mkdir()
        self.ids = named_bundles(small, self._bundles, "one", "two")
        self._desk, self._fleet = Desk(folder, patch), folder / "fleet"
        self._desk.done("init", "--new-keys", self._desk.keys)
        self.fleet = FleetStore(DirectoryStore(self._fleet))

    def publish(self, name: str, *options: str) -> None:
        self._desk.publish(self._bundles / self.ids[name], *options)

    def judge(self, *options: str) -> tuple[int, str]:
        done = self._desk.run("judge", self._fleet, *self._desk.options(*ROLES[1:]), *options)
        return done.exit_code, done.output

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
def rollouts(edge_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rollouts:
    found = Rollouts(edge_bundle, tmp_path, monkeypatch)
    found.publish("one")
    return found


def test_a_rollout_whose_canaries_fail_is_stopped_for_all(rollouts: Rollouts) -> None:
    rollouts.publish("two", "--group", "canary", "--percent", "0")
    rollouts.tell(["one", "two"], current=rollouts.ids["two"])
    rollouts.tell(["far"], group="")
    assert rollouts.judge() == (0, rollouts.judge()[1])
    rollouts.tell(["three"], refused=[{"bundle": rollouts.ids["two"], "reason": "it hangs"}])
    code, told = rollouts.judge()
    assert code != 0
    assert "is aborted: 1 of 3 devices fail or are silent: it hangs" in told
    assert rollouts.judge()[0] == 0  # it has been stopped


def test_a_few_failures_may_be_allowed(rollouts: Rollouts) -> None:
    rollouts.publish("two", "--group", "canary", "--percent", "0")
    rollouts.tell(["one", "two", "three"], current=rollouts.ids["two"])
    rollouts.tell(["four"], refused=[{"bundle": rollouts.ids["two"], "reason": "it hangs"}])
    code, told = rollouts.judge("--most-bad", "25")
    assert (code, "4 devices: 1 failed, 3 runs it" in told) == (0, True)
    assert rollouts.judge("--least", "2")[0] == 0
    assert rollouts.judge("--most-bad", "24")[0] != 0


def test_a_first_bundle_that_fails_is_paused_as_there_is_none_to_go_back_to(rollouts: Rollouts) -> None:
    rollouts.tell(["one"], current=None, refused=[{"bundle": rollouts.ids["one"], "reason": "it hangs"}])
    code, told = rollouts.judge()
    assert code != 0
    assert "is paused" in told
