"""Names of topics."""

import json
import re

import pytest

from reelflow.edge.sinks.topics import Topics, topic_name


@pytest.mark.parametrize(
    "name", ["rtsp://10.0.0.1:554/a", "a b", "#", "+/+", "", "front\0", "\udcff.mp4", "дверь"]
)
def test_any_name_makes_a_level_of_a_topic(name: str):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", topic_name(name))


def test_a_plain_name_stays_and_different_names_stay_different():
    assert topic_name("Front-door_1") == "Front-door_1"
    assert len({topic_name(name) for name in ("a/b", "a_b", "a b", "a#b", "_a_b")}) == 5


def test_the_sensor_is_valid_json_in_ascii_whatever_the_name():
    config = Topics("home", 'a"\n\udcff').as_sensor()
    assert config.isascii()
    assert json.loads(config)["device"]["name"] == 'a"\n\udcff'
