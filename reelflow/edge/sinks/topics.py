"""Topics of MQTT, and their discovery messages for Home Assistant.

Fields as in https://www.home-assistant.io/integrations/sensor.mqtt/; topic and `origin` as in
https://www.home-assistant.io/integrations/mqtt/#discovery-messages: an id holds letters, digits, _ and -,
nothing else, and fields that an older version does not know are ignored.
"""

import hashlib
import json
import re
from typing import Any

from reelflow import __version__

DISCOVERY = "homeassistant"
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")


class Topics:
    """Where the messages of a camera go.

    Attributes:
        base: PREFIX/CAMERA.
    """

    def __init__(self, prefix: str, camera: str) -> None:
        self._camera = camera
        self.base = f"{prefix}/{topic_name(camera)}"
        self.state, self.availability = f"{self.base}/state", f"{self.base}/availability"
        self._id = topic_name(self.base)
        self.discovery = f"{DISCOVERY}/sensor/{self._id}/config"

    def of(self, kind: str) -> str:
        """Of a kind of messages."""
        return f"{self.base}/{kind}"

    def as_sensor(self) -> str:
        """The discovery message, with the default payloads `online` and `offline`."""
        config: dict[str, Any] = {
            "name": "Label",
            "unique_id": self._id,
            "state_topic": self.state,
            "availability_topic": self.availability,
            "device": {"identifiers": [self._id], "name": self._camera, "manufacturer": "reelflow"},
            "origin": {"name": "reelflow", "sw_version": __version__},
        }
        return json.dumps(config)


def topic_name(name: str) -> str:
    """A name in letters that a topic and an id of Home Assistant may hold; different names stay different."""
    plain = NOT_IN_NAMES.sub("_", name).strip("_")
    if plain and plain == name:
        return plain
    code = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:6]
    return f"{plain}_{code}" if plain else code
