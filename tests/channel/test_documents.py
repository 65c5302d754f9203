"""Who gets which bundle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reelflow.edge.update.channel.documents import Rollout, place_of, wanted

NEW, OLD = "a" * 64, "b" * 64
DEVICES = [f"camera-{number}" for number in range(2000)]


def rollout(**values) -> Rollout:
    return Rollout.model_validate({"number": 7, "bundle": NEW, "previous": OLD} | values)


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_a_device_of_a_share_belongs_to_each_larger_one(device, one, other):
    small, large = sorted((one, other))
    if wanted(rollout(percent=small), device, "") == NEW:
        assert wanted(rollout(percent=large), device, "") == NEW


@pytest.mark.parametrize(
    ("percent", "least", "most"), [(0, 0, 0), (1, 5, 40), (10, 150, 250), (100, 2000, 2000)]
)
def test_a_percentage_is_a_share_of_the_devices(percent, least, most):
    chosen = [device for device in DEVICES if wanted(rollout(percent=percent), device, "") == NEW]
    assert least <= len(chosen) <= most


def test_another_rollout_begins_with_other_devices():
    shares = [{one for one in DEVICES if place_of(one, number) < 10} for number in (1, 2)]
    assert len(shares[0] & shares[1]) < 60


@pytest.mark.parametrize(
    ("values", "group", "expected"),
    [
        ({"percent": 0}, "", OLD),
        ({"percent": 0, "groups": ["lab"]}, "lab", NEW),
        ({"percent": 0, "groups": ["lab"]}, "shop", OLD),
        ({"percent": 0, "previous": None}, "", None),
        ({"percent": 100, "state": "paused"}, "", None),
        ({"percent": 0, "groups": ["lab"], "state": "paused"}, "lab", None),
        ({"percent": 100, "state": "aborted"}, "", OLD),
        ({"percent": 0, "state": "done"}, "", NEW),
    ],
)
def test_what_a_device_is_to_run(values, group, expected):
    assert wanted(rollout(**values), "camera", group) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"percent": 50}, OLD),
        ({"percent": 100}, NEW),
        ({"percent": 50, "state": "done"}, NEW),
        ({"percent": 100, "state": "aborted"}, OLD),
    ],
)
def test_the_bundle_that_has_reached_all(values, expected):
    assert rollout(**values).settled == expected
