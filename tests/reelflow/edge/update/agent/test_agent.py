"""A device's agent, story by story: at the end of each, the link leads to a bundle that works."""

import os
import shutil
from pathlib import Path

import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.edge.update.agent import agent as agent_module
from reelflow.edge.update.agent.agent import DeviceAgent, DeviceOptions
from reelflow.edge.update.agent.versions import InstalledBundles
from reelflow.errors import BundleError, ChannelError
from tests.device_bundles import FolderChannel, named_bundles, spoilt_bundle, write_health


class Workshop:
    """A device, a channel, and two bundles `one` and `two`."""

    def __init__(self, small: Path, folder: Path) -> None:
        self.folder, self.health = folder / "device", folder / "health"
        self.published = folder / "published"
        self.published.mkdir()
        self.ids = named_bundles(small, self.published, "one", "two", "three")
        self.channel = FolderChannel(self.published)
        self.agent = self.another()

    def another(self, **options: object) -> DeviceAgent:
        """An agent as it is after a start of the device."""
        values = {"device": "device-1", "health": self.health, **options}
        return DeviceAgent(self.folder, DeviceOptions(**values))

    def install(self, name: str) -> None:
        before = self.agent.state.current
        self.channel.publish(self.ids[name], before)
        assert self.agent.apply(self.channel).action == "on trial"
        assert self.agent.confirm().action == "confirmed"

    @property
    def in_use(self) -> str:
        """Name of the bundle that the link leads to."""
        return open_bundle(self.folder / "current").report.name


@pytest.fixture
def workshop(small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    def examined_here(folder: Path, _limits: object) -> None:
        from reelflow.edge.selftest import self_test

        self_test(open_bundle(folder))

    monkeypatch.setattr(agent_module, "examine_apart", examined_here)
    return Workshop(small_bundle, tmp_path)


def test_a_new_bundle_is_on_trial_until_a_watcher_has_been_well_with_it(workshop: Workshop) -> None:
    workshop.install("one")
    two = workshop.ids["two"]
    workshop.channel.publish(two, workshop.ids["one"])
    assert workshop.agent.check(workshop.channel).action == "available"
    assert workshop.agent.apply(workshop.channel).action == "on trial"
    assert workshop.in_use == "two"
    write_health(workshop.health, two, answering_s=299)
    assert workshop.agent.look(10).action == "waiting"
    write_health(workshop.health, two, answering_s=300)
    assert workshop.agent.look(10).action == "confirmed"
    state = workshop.agent.state
    assert (state.current, state.previous, state.trial) == (two, workshop.ids["one"], None)
    assert workshop.agent.apply(workshop.channel).action == "unchanged"


def test_only_files_that_differ_are_fetched(workshop: Workshop) -> None:
    workshop.install("one")
    workshop.channel.fetched.clear()
    workshop.install("two")
    assert sorted(workshop.channel.fetched) == ["SHA256SUMS", "bundle.json"]


def test_a_watcher_that_starts_again_and_again_brings_the_old_bundle_back_for_good(
    workshop: Workshop,
) -> None:
    workshop.install("one")
    two = workshop.ids["two"]
    workshop.channel.publish(two, workshop.ids["one"])
    workshop.agent.apply(workshop.channel)
    write_health(workshop.health, two, starts=3)
    assert workshop.agent.look(10).action == "waiting"
    write_health(workshop.health, two, starts=4)
    assert workshop.agent.look(10).action == "rolled back"
    assert workshop.in_use == "one"
    outcome = workshop.agent.apply(workshop.channel)
    assert (outcome.action, outcome.reason) == ("refused", "a watcher starts with it again and again")
    assert workshop.agent.apply(workshop.channel, again=True).action == "on trial"


def test_a_bundle_without_a_watcher_is_given_up(workshop: Workshop) -> None:
    workshop.install("one")
    workshop.channel.publish(workshop.ids["two"], workshop.ids["one"])
    workshop.agent.apply(workshop.channel)
    write_health(workshop.health, workshop.ids["one"], answering_s=1000)
    assert workshop.agent.look(1000).action == "waiting"
    outcome = workshop.another().look(1000)
    assert (outcome.action, outcome.reason) == ("rolled back", "no watcher has run with it for 2000 s")
    assert workshop.in_use == "one"


def test_a_camera_that_is_away_says_nothing_against_a_bundle(workshop: Workshop) -> None:
    workshop.install("one")
    two = workshop.ids["two"]
    workshop.channel.publish(two, workshop.ids["one"])
    workshop.agent.apply(workshop.channel)
    for _ in range(100):
        write_health(workshop.health, two)
        assert workshop.agent.look(1000).action == "waiting"
    assert workshop.in_use == "two"


def test_a_watcher_that_does_not_take_the_bundle_brings_the_old_one_back(workshop: Workshop) -> None:
    workshop.install("one")
    workshop.channel.publish(workshop.ids["two"], workshop.ids["one"])
    workshop.agent.apply(workshop.channel)
    write_health(workshop.health, workshop.ids["one"], answering_s=1000, problem="needs more memory")
    outcome = workshop.agent.look(10)
    assert (outcome.action, outcome.reason) == (
        "rolled back",
        "a watcher does not load it: needs more memory",
    )


def test_a_bundle_that_answers_nonsense_never_comes_into_use(workshop: Workshop, small_bundle: Path) -> None:
    workshop.install("one")
    spoilt = spoilt_bundle(small_bundle, workshop.published)
    workshop.channel.publish(spoilt, workshop.ids["one"])
    outcome = workshop.agent.apply(workshop.channel)
    assert outcome.action == "refused"
    assert "differ" in outcome.reason or "score" in outcome.reason
    assert workshop.in_use == "one"
    assert [path.name for path in (workshop.folder / "versions").iterdir()] == [workshop.ids["one"]]


def test_a_cut_download_goes_on_where_it_was(workshop: Workshop) -> None:
    workshop.channel.publish(workshop.ids["one"])
    workshop.channel.reachable = 3
    with pytest.raises(ChannelError):
        workshop.agent.apply(workshop.channel)
    assert not (workshop.folder / "current").exists()
    workshop.channel.reachable = 100
    assert workshop.another().apply(workshop.channel).action == "on trial"
    assert len(workshop.channel.fetched) == len(set(workshop.channel.fetched))


def test_a_stopped_rollout_takes_the_bundle_away_without_refusing_it(workshop: Workshop) -> None:
    workshop.install("one")
    one, two = workshop.ids["one"], workshop.ids["two"]
    workshop.channel.publish(two, one)
    workshop.agent.apply(workshop.channel)
    workshop.channel.publish(two, one, state="aborted", reason="half of the canaries fail")
    assert workshop.agent.apply(workshop.channel).action == "withdrawn"
    assert workshop.in_use == "one"
    workshop.channel.publish(two, one)
    assert workshop.agent.apply(workshop.channel).action == "on trial"


def test_a_confirmed_bundle_of_a_stopped_rollout_goes_the_same_way_back(workshop: Workshop) -> None:
    workshop.install("one")
    workshop.install("two")
    one, two = workshop.ids["one"], workshop.ids["two"]
    workshop.channel.publish(two, one, state="aborted")
    workshop.channel.reachable = 0  # it is still here
    assert workshop.agent.apply(workshop.channel).action == "on trial"
    assert workshop.in_use == "one"


def test_a_paused_rollout_changes_nothing(workshop: Workshop) -> None:
    workshop.install("one")
    workshop.channel.publish(workshop.ids["two"], workshop.ids["one"], state="paused")
    assert workshop.agent.apply(workshop.channel).action == "unchanged"
    assert workshop.in_use == "one"


def test_a_newer_bundle_takes_the_place_of_one_on_trial(workshop: Workshop) -> None:
    workshop.install("one")
    for name in ("two", "three"):
        workshop.channel.publish(workshop.ids[name], workshop.ids["one"])
        assert workshop.agent.apply(workshop.channel).action == "on trial"
    assert workshop.in_use == "three"
    assert workshop.agent.rollback("by hand").action == "rolled back"
    assert workshop.in_use == "one"


def test_by_hand_one_goes_back_once_and_not_into_nothing(workshop: Workshop) -> None:
    workshop.install("one")
    with pytest.raises(BundleError, match="no bundle to go back to"):
        workshop.agent.rollback("by hand")
    workshop.install("two")
    workshop.agent.rollback("by hand")
    assert workshop.in_use == "one"
    with pytest.raises(BundleError, match="no bundle to go back to"):
        workshop.agent.rollback("by hand")
    assert workshop.in_use == "one"


def test_a_device_that_starts_again_and_again_goes_back(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workshop.install("one")
    workshop.channel.publish(workshop.ids["two"], workshop.ids["one"])
    workshop.agent.apply(workshop.channel)
    boot = tmp_path / "boot"
    monkeypatch.setattr(agent_module, "BOOT_ID", boot)
    for number in range(3):
        boot.write_text(str(number))
        workshop.another().settle()
        assert workshop.in_use == "two"
    boot.write_text("last")
    workshop.another().settle()
    assert workshop.in_use == "one"
    assert workshop.agent.state.why_refused(workshop.ids["two"]) == "the device has started 4 times with it"


@pytest.mark.parametrize("damage", ["flip", "remove"])
def test_a_bundle_that_the_disk_has_damaged_is_left_for_the_one_before_and_fetched_again(
    workshop: Workshop, damage: str
) -> None:
    workshop.install("one")
    workshop.install("two")
    two = workshop.folder / "versions" / workshop.ids["two"]
    if damage == "flip":
        content = bytearray((two / "head.tflite").read_bytes())
        content[100] ^= 1
        (two / "head.tflite").unlink()
        (two / "head.tflite").write_bytes(content)
    else:
        shutil.rmtree(two)
    workshop.another().settle()
    assert workshop.in_use == "one"
    assert workshop.agent.apply(workshop.channel).action == "on trial"
    assert workshop.in_use == "two"


def test_a_damaged_state_is_made_from_the_link(workshop: Workshop) -> None:
    workshop.install("one")
    (workshop.folder / "agent.json").write_text("{")
    workshop.another().settle()
    assert workshop.agent.state.current == workshop.ids["one"]
    assert workshop.in_use == "one"


def test_two_bundles_are_kept_and_no_more(workshop: Workshop) -> None:
    for name in ("one", "two", "three"):
        workshop.install(name)
    kept = {path.name for path in (workshop.folder / "versions").iterdir()}
    assert kept == {workshop.ids["two"], workshop.ids["three"]}


def first_on_trial(workshop: Workshop) -> str:
    workshop.channel.publish(workshop.ids["one"])
    assert workshop.agent.apply(workshop.channel).action == "on trial"
    return workshop.ids["one"]


def is_linked(workshop: Workshop) -> bool:
    return os.path.lexists(workshop.folder / "current")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"starts": 4}, "a watcher starts with it again and again"),
        ({"problem": "needs more memory"}, "a watcher does not load it: needs more memory"),
    ],
)
def test_a_first_bundle_that_is_given_up_is_used_no_more(
    workshop: Workshop, values: dict[str, object], reason: str
) -> None:
    """There is none to go back to: better no answers, and a reason, than those of a bundle that fails."""
    one = first_on_trial(workshop)
    write_health(workshop.health, one, **values)
    outcome = workshop.agent.look(10)
    assert (outcome.action, outcome.bundle, outcome.reason) == ("given up", one, reason)
    assert not is_linked(workshop)
    state = workshop.another().settle()
    assert (state.intended, state.why_refused(one)) == (None, reason)
    assert state.why_none == f"{one[:12]} was given up, and there is no previous bundle: {reason}"
    assert not is_linked(workshop)
    assert workshop.agent.apply(workshop.channel).action == "refused"
    assert workshop.agent.apply(workshop.channel, again=True).action == "on trial"
    assert workshop.in_use == "one"


def test_after_a_first_bundle_that_was_given_up_the_next_one_is_taken(workshop: Workshop) -> None:
    write_health(workshop.health, first_on_trial(workshop), starts=4)
    workshop.agent.look(10)
    workshop.install("two")
    assert workshop.in_use == "two"


def test_a_first_bundle_without_a_watcher_stays_on_trial(workshop: Workshop) -> None:
    """Cameras may come later: that nobody runs it says nothing against it; each round tells."""
    one = first_on_trial(workshop)
    assert workshop.agent.look(1000).action == "waiting"
    for _ in range(3):
        outcome = workshop.agent.look(1000)
        assert outcome.action == "on trial"
        assert "it is the first bundle, and stays" in outcome.reason
    assert workshop.in_use == "one"
    write_health(workshop.health, one, answering_s=300)
    assert workshop.agent.look(10).action == "confirmed"


def test_a_first_bundle_that_another_updater_takes_back_is_used_no_more(workshop: Workshop) -> None:
    one = first_on_trial(workshop)
    assert workshop.agent.leave(one, "Mender rolled it back").action == "given up"
    assert not is_linked(workshop)
    assert workshop.agent.apply(workshop.channel).action == "on trial"


def test_a_power_cut_between_state_and_link_is_made_good(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_health(workshop.health, first_on_trial(workshop), starts=4)
    with monkeypatch.context() as patch:
        patch.setattr(InstalledBundles, "unlink", cut)
        with pytest.raises(KeyboardInterrupt):
            workshop.agent.look(10)
    assert is_linked(workshop)
    workshop.another().settle()
    assert not is_linked(workshop)


def cut(_bundles: InstalledBundles) -> None:
    raise KeyboardInterrupt


def test_a_device_that_starts_again_and_again_with_its_first_bundle_uses_it_no_more(
    workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_on_trial(workshop)
    monkeypatch.setattr(agent_module, "BOOT_ID", tmp_path / "boot")
    for number in range(4):
        assert is_linked(workshop)
        (tmp_path / "boot").write_text(str(number))
        workshop.another().settle()
    assert not is_linked(workshop)


def test_a_bundle_that_was_there_before_the_agent_is_kept(workshop: Workshop) -> None:
    """A state that is missing is made from the link, as a damaged one is."""
    workshop.install("one")
    (workshop.folder / "agent.json").unlink()
    assert workshop.another().settle().current == workshop.ids["one"]
    assert workshop.in_use == "one"


def test_where_the_only_bundle_is_damaged_nothing_is_in_use_until_it_is_fetched_again(
    workshop: Workshop,
) -> None:
    workshop.install("one")
    (workshop.folder / "versions" / workshop.ids["one"] / "head.tflite").unlink()
    workshop.another().settle()
    assert not is_linked(workshop)
    assert workshop.agent.apply(workshop.channel).action == "on trial"
    assert workshop.in_use == "one"
