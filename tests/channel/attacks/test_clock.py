"""Clocks that are wrong by years, both ways, and devices without one."""

from datetime import UTC, datetime

import pytest

from tests.channel.fleet import START, Thief, days

NO_CLOCK = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def test_the_time_that_expiry_is_judged_by_is_ours(publisher, device, refused):
    """python-tuf has no public way to set it: this fails where a new version ignores it."""
    device.now = START + days(6.9)
    device.client.refresh()
    device.now = START + days(7.1)
    assert "timestamp.json is expired" in refused()


def test_a_clock_that_is_years_ahead_refuses_and_leaves_nothing_behind(publisher, device, second, refused):
    """It cannot be told from a frozen channel; once it is right, all is as before."""
    floor = device.floor()
    publisher.publish(second)
    device.now = START + days(10 * 365)
    told = refused()
    assert "the clock says 2039-12-30" in told
    assert "set the clock" in told
    assert device.floor() == floor
    device.now = START + days(1)
    assert device.update().report.name == "thumbnail-second"


def test_a_clock_that_is_ahead_within_the_period_harms_no_later_update(publisher, device, second):
    """The floor cannot rise above what the publisher has signed to be valid."""
    device.now = START + days(6)
    device.client.refresh()
    device.now = publisher.now = START + days(1)
    publisher.publish(second)
    assert device.update().report.name == "thumbnail-second"


def test_a_device_without_a_clock_updates(publisher, device, second):
    publisher.now += days(100)
    publisher.refresh()
    publisher.publish(second)
    device.now = NO_CLOCK
    assert device.update().report.name == "thumbnail-second"
    assert device.floor() == publisher.now


def test_a_device_without_a_clock_knows_that_time_has_passed(publisher, device, refused):
    """What was signed on day 40 tells that a snapshot until day 30 has expired, whatever the clock says."""
    thief = Thief(publisher, "timestamp")
    device.now = NO_CLOCK
    signed = START + days(40)
    thief.sign(
        "timestamp",
        lambda one: (
            setattr(one, "expires", signed + days(7)),
            one.unrecognized_fields.update({"x-reelflow-signed": signed.isoformat()}),
        ),
    )
    device.client.refresh()
    told = refused()
    assert "snapshot.json is expired" in told
    assert "the clock says 1970-01-01 00:01 UTC, and 2030-02-10 00:00 is known to have passed" in told


def test_the_floor_never_moves_back(publisher, device):
    publisher.now += days(20)
    publisher.refresh()
    device.now = NO_CLOCK
    device.client.refresh()
    floor = device.floor()
    for clock in (NO_CLOCK, START, NO_CLOCK):
        device.now = clock
        device.client.refresh()
        assert device.floor() == floor == publisher.now


def test_a_first_start_without_a_clock_takes_the_time_of_the_pinned_root(publisher, device):
    (device.state / "clock.json").unlink()
    device.now = NO_CLOCK
    device.client.refresh()
    assert device.floor() >= START


def test_a_stolen_timestamp_key_that_signs_a_time_years_ahead(publisher, device, second, refused):
    """A new key of the timestamp takes the false time away."""
    thief = Thief(publisher, "timestamp")
    ahead = START + days(5 * 365)
    thief.sign(
        "timestamp",
        lambda one: (
            setattr(one, "expires", ahead + days(7)),
            one.unrecognized_fields.update({"x-reelflow-signed": ahead.isoformat()}),
        ),
    )
    device.client.refresh()
    assert device.floor() == ahead
    (publisher.folder / "metadata" / "timestamp.json").unlink()
    publisher.repository.read()
    refused()
    publisher.rotate("timestamp")
    publisher.publish(second)
    assert device.update().report.name == "thumbnail-second"
    assert device.floor() < ahead


@pytest.mark.parametrize("content", [b"", b"{", b'{"time": "x"}', b'{"time": "9999-01-01T00:00:00"}'])
def test_a_damaged_floor_is_no_floor(content, publisher, device):
    (device.state / "clock.json").write_bytes(content)
    assert device.update() is not None
    assert device.floor() == START
