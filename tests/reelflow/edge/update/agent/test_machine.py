"""Whatever happens to a device, in whatever order: the link leads to a whole bundle, and the newest comes."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from reelflow.edge.bundle import open_bundle
from reelflow.edge.update.agent import agent as agent_module
from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
from reelflow.errors import BundleError, ChannelError
from tests.device_bundles import FolderChannel, named_bundles, write_health

NAMES = ("one", "two", "three")
EXAMPLES = 15


class PowerCutError(Exception):
    """Stands for a cut: what comes after it is not done."""


@contextmanager
def cut_after(operations: int) -> Iterator[None]:
    """Do so many operations on folders and on the disk, and none after them."""
    left = [operations]

    def counted(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if not left[0]:
                raise PowerCutError
            left[0] -= 1
            return function(*arguments, **named)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counted(os.fsync))
        for name in ("replace", "symlink_to", "unlink", "mkdir"):
            patch.setattr(Path, name, counted(getattr(Path, name)))
        with suppress(PowerCutError, BundleError, ChannelError):
            yield


class Device(RuleBasedStateMachine):
    """One device and its channel; every rule may be cut short."""

    small: Path
    boot: Path
    is_new = False

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        published = self.folder / "published"
        published.mkdir()
        self.ids = named_bundles(self.small, published, *NAMES)
        self.channel = FolderChannel(published)
        self.channel.publish(self.ids["one"])
        self.boots = 0
        self.boot.write_text("0")
        self.agent.apply(self.channel)
        if not self.is_new:
            self.agent.confirm()

    @property
    def agent(self) -> DeviceAgent:
        options = DeviceOptions(device="device-1", health=self.folder / "health")
        return DeviceAgent(self.folder / "device", options)

    @rule(name=st.sampled_from(NAMES), state=st.sampled_from(("running", "paused", "aborted", "done")))
    def publish(self, name: str, state: str) -> None:
        self.channel.publish(self.ids[name], self.agent.state.current, state=state)

    @rule(reachable=st.integers(0, 10), again=st.booleans(), cut=st.integers(1, 40))
    def update(self, reachable: int, again: bool, cut: int) -> None:
        self.channel.reachable = reachable
        with cut_after(cut):
            self.agent.apply(self.channel, again=again)

    @rule(cut=st.integers(1, 10))
    def confirm(self, cut: int) -> None:
        with cut_after(cut):
            self.agent.confirm()

    @rule(cut=st.integers(1, 10))
    def roll_back(self, cut: int) -> None:
        with cut_after(cut):
            self.agent.rollback("by hand")

    @rule(starts=st.integers(0, 5), answering_s=st.sampled_from((0.0, 400.0)), name=st.sampled_from(NAMES))
    def watch(self, starts: int, answering_s: float, name: str) -> None:
        write_health(self.folder / "health", self.ids[name], starts=starts, answering_s=answering_s)

    @rule(since_s=st.sampled_from((10.0, 1000.0)), cut=st.integers(1, 10))
    def look(self, since_s: float, cut: int) -> None:
        with cut_after(cut):
            self.agent.look(since_s)

    @rule(cut=st.integers(1, 10))
    def start_again(self, cut: int) -> None:
        self.boots += 1
        self.boot.write_text(str(self.boots))
        with cut_after(cut):
            self.agent.settle()

    @precondition(lambda self: self.agent.state.previous or self.agent.state.trial)
    @rule()
    def damage(self) -> None:
        """The disk loses a part of the bundle in use."""
        head = self.folder / "device" / "current" / "head.tflite"
        head.unlink(missing_ok=True)
        self.agent.settle()

    @invariant()
    def a_whole_bundle_is_in_use(self) -> None:
        if hasattr(self, "folder") and not (
            self.is_new and not os.path.lexists(self.folder / "device" / "current")
        ):
            assert open_bundle(self.folder / "device" / "current").report.name in NAMES

    def teardown(self) -> None:
        if not hasattr(self, "folder"):
            return
        state = self.agent.settle()
        assert (self.folder / "device" / "current").is_symlink() == (state.intended is not None)
        assert state.intended is None or state.why_refused(state.intended) is None
        self.channel.reachable = 10_000
        self.channel.publish(self.ids["three"], state="done")
        self.agent.settle()
        self.agent.apply(self.channel, again=True)
        self.agent.confirm()
        assert open_bundle(self.folder / "device" / "current").report.name == "three"
        assert self.agent.state.current == self.ids["three"]
        shutil.rmtree(self.folder)


class NewDevice(Device):
    """A device whose first bundle is on trial: it may be left with none, and never with one that failed."""

    is_new = True


@pytest.mark.parametrize("device", [Device, NewDevice])
def test_a_whole_bundle_is_in_use_whatever_happens(
    device: type[Device], small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "small", small_bundle, raising=False)
    monkeypatch.setattr(Device, "boot", tmp_path / "boot", raising=False)
    monkeypatch.setattr(agent_module, "BOOT_ID", tmp_path / "boot")
    monkeypatch.setattr(agent_module, "examine_apart", lambda _folder, _limits: None)
    run_state_machine_as_test(device, settings=settings(max_examples=EXAMPLES, stateful_step_count=20))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("device", [Device, NewDevice])
def test_a_whole_bundle_is_in_use_whatever_happens_for_long(
    device: type[Device], small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.reelflow.edge.update.agent.test_machine.EXAMPLES", 100)
    test_a_whole_bundle_is_in_use_whatever_happens(device, small_bundle, tmp_path, monkeypatch)
