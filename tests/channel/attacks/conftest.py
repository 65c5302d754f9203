"""Every story ends the same way: the update is refused, and what the device runs is whole."""

from collections.abc import Callable

import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.edge.update.channel.documents import Rollout
from reelflow.errors import ChannelError
from tests.channel.fleet import Device


@pytest.fixture
def refused(device: Device) -> Callable[..., str]:
    """The device asks, and refuses; gives what it says."""
    kept = {path.name for path in device.versions.iterdir()}

    def ask(*, may_pass: bool = False) -> str:
        with pytest.raises(ChannelError) as raised:
            device.update()
        assert raised.value.may_pass == may_pass, raised.value
        for name in kept:
            open_bundle(device.versions / name)
        return str(raised.value)

    return ask


@pytest.fixture
def rollout_of(device: Device) -> Callable[[], Rollout]:
    """What the device is told now."""
    return lambda: device.client.refresh()
