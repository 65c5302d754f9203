"""Somebody shows an older state, or holds the newest one back, or mixes states."""

import shutil

import pytest

from tests.channel.fleet import Thief, days


@pytest.fixture
def older(publisher, device, tmp_path):
    """The channel's folder as it was when the device asked last."""
    return shutil.copytree(publisher.folder, tmp_path / "older")


def show(publisher, older):
    shutil.rmtree(publisher.folder)
    shutil.copytree(older, publisher.folder)


def test_an_older_timestamp(publisher, device, second, older, refused):
    """Rollback: all is signed, but older than what this device has seen."""
    publisher.publish(second)
    device.update()
    show(publisher, older)
    assert "New timestamp version 2 must be >= 3" in refused()


def test_an_older_snapshot_by_a_stolen_timestamp_key(publisher, device, second, refused):
    """The timestamp's key alone cannot take a device back."""
    thief = Thief(publisher, "timestamp")
    publisher.publish(second)
    device.update()
    thief.sign("timestamp", version=9)
    assert "New snapshot version must be >= 3, got version 2" in refused()


def test_older_targets_by_stolen_online_keys(publisher, device, second, refused):
    """Nor can the timestamp's and the snapshot's together."""
    thief = Thief(publisher, "timestamp", "snapshot")
    publisher.publish(second)
    device.update()
    thief.sign("snapshot", version=9)
    thief.sign("timestamp", lambda one: setattr(one, "snapshot_meta", thief.describe("snapshot")), version=9)
    assert "Expected targets.json version 2, got 3" in refused()


def test_targets_that_are_missing_in_a_snapshot(publisher, device, second, refused):
    """A snapshot cannot forget a role."""
    thief = Thief(publisher, "timestamp", "snapshot")
    thief.sign("snapshot", lambda one: one.meta.clear())
    thief.sign("timestamp", lambda one: setattr(one, "snapshot_meta", thief.describe("snapshot")))
    assert "is not trusted" in refused()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets", "root"])
def test_metadata_that_has_expired(role, tmp_path, monkeypatch, publisher, device, refused):
    """Freeze: whoever withholds all that is new can do so until the first role expires."""
    period = {"timestamp": 7, "snapshot": 30, "targets": 365, "root": 365}[role]
    publisher.now = device.now = publisher.now + days(period + 1)
    if role != "timestamp":
        thief = Thief(publisher, "timestamp", *(["snapshot"] if role in ("targets", "root") else []))
        renewed = publisher.now + days(7)
        if role in ("targets", "root"):
            thief.sign("snapshot", lambda one: setattr(one, "expires", renewed))
        thief.sign(
            "timestamp",
            lambda one: (
                setattr(one, "expires", renewed),
                setattr(one, "snapshot_meta", thief.describe("snapshot")),
            ),
        )
    told = refused()
    assert "expired" in told
    assert "the clock says 203" in told
    assert "this device keeps what it runs" in told


def test_a_frozen_channel_that_is_refreshed_is_taken_again(publisher, device):
    """What has expired is no verdict for ever."""
    publisher.now = device.now = publisher.now + days(8)
    publisher.refresh()
    assert device.update() is not None


def test_a_new_timestamp_with_an_old_snapshot(publisher, device, second, refused):
    """Mix and match: the timestamp tells the hash of its snapshot."""
    publisher.publish(second)
    folder = publisher.folder / "metadata"
    (folder / "3.snapshot.json").unlink()
    shutil.copy(folder / "2.snapshot.json", folder / "3.snapshot.json")
    assert "is not trusted" in refused()


def test_new_metadata_with_old_targets(publisher, device, second, refused):
    """Mix and match: the snapshot tells the hash of its targets."""
    publisher.publish(second)
    folder = publisher.folder / "metadata"
    (folder / "3.targets.json").unlink()
    shutil.copy(folder / "2.targets.json", folder / "3.targets.json")
    assert "is not trusted" in refused()


def test_a_bundle_of_an_aborted_rollout(publisher, device, second, older, refused):
    """What was stopped does not come back by showing the day before."""
    publisher.publish(second)
    offered = shutil.copytree(publisher.folder, older.with_name("offered"))
    publisher.rollout("abort", reason="it fails on 5 % of the devices")
    device.update()
    show(publisher, offered)
    assert "New timestamp version 3 must be >= 4" in refused()


def test_a_timestamp_version_that_nobody_can_follow(publisher, device, second):
    """Fast forward: a stolen key jumps to a huge version; a new key makes the channel usable again."""
    thief = Thief(publisher, "timestamp")
    thief.sign("timestamp", version=10**9)
    device.update()
    (publisher.folder / "metadata" / "timestamp.json").unlink()
    publisher.repository.read()
    publisher.rotate("timestamp")
    assert device.update() is not None
    publisher.publish(second)
    assert device.update().report.name == "thumbnail-second"
