"""MQTT 3.1.1, with what Home Assistant needs to show the camera as a sensor.

Below PREFIX/CAMERA, where CAMERA is the camera's name in letters that a topic may hold:

- `event`: every message of an event, QoS 1; `source`: what the source does, QoS 1. They wait in the spool
  until the broker has acknowledged them.
- `state`, retained: label of the newest answer, `unsure`, or `no source`: a class may well be called `none`.
- `availability`, retained: `online`, and `offline` at the end, which the broker says too when the connection
  breaks (the last will).
- what tells Home Assistant of it (reelflow.edge.sinks.topics), retained.

Retained values go out with QoS 0, and again after each connection: paho repeats what has QoS 1 after a
reconnect (its README, "Known limitations"), and an old state would replace a new one.
"""

import hashlib
import json
import re
import socket
import sys
import time
from threading import Condition, RLock, Thread
from typing import TYPE_CHECKING

from reelflow.commandline import printable
from reelflow.contracts import UNSURE
from reelflow.edge.events.model import Event, Message, SourceState, WindowAnswer
from reelflow.edge.sinks.address import Address
from reelflow.edge.sinks.delivery import UndeliveredError
from reelflow.edge.sinks.spool import Spool
from reelflow.edge.sinks.spooled import SpooledSink
from reelflow.edge.sinks.topics import Topics
from reelflow.errors import ParamsError

if TYPE_CHECKING:
    from paho.mqtt.client import Client
    from paho.mqtt.reasoncodes import ReasonCode

PREFIX = "reelflow"
NO_SOURCE = "no source"
ONLINE, OFFLINE = "online", "offline"
KEEPALIVE_S = 30
ACKNOWLEDGED_S = 10.0
LONGEST_RECONNECT_S = 60
NOT_IN_PREFIXES = re.compile(r"[+#\0-\x1f\x7f]")


class MqttSink:
    """Publishes events and the state of one camera. paho's thread keeps the connection."""

    def __init__(self, address: Address, spool: Spool, camera: str, *, discovery: bool = True) -> None:
        """Connect, and deliver what waits.

        Args:
            address: `mqtt://USER:PASSWORD@HOST:PORT/PREFIX`, or `mqtts`.
            spool: where events wait.
            camera: its name.
            discovery: whether to tell Home Assistant.

        Raises:
            ParamsError: paho-mqtt is not installed, or the prefix cannot be part of a topic.
        """
        self._topics = Topics(_prefix(address), camera)
        self._discovery = discovery
        self.name = f"{address.shown}/{self._topics.base}"
        self._state = NO_SOURCE
        self._closed = False
        self._online, self._refusals, self._refusal = False, 0, ""
        self._lock = RLock()  # a state and its publication are one
        self._acknowledged = Condition()
        self._acks: set[int] = set()
        self._pending: tuple[str, int] | None = None
        self._client = self._connect(address)
        self._events = SpooledSink(self.name, (Event, SourceState), spool, self._deliver)
        self._client.loop_start()

    def send(self, message: Message) -> None:
        """Take a message; of the answers, only the newest label matters."""
        self._events.send(message)
        if isinstance(message, WindowAnswer):
            self._tell_state(message.label or UNSURE)
        elif isinstance(message, SourceState) and message.state != "connected":
            self._tell_state(NO_SOURCE)

    def close(self, timeout_s: float) -> None:
        """Deliver what can be delivered in this time, say that nothing follows, and disconnect."""
        if self._closed:
            return
        ends = time.monotonic() + timeout_s
        self._events.close(timeout_s)
        if self._online:
            self._tell_state(NO_SOURCE)
            said = self._client.publish(self._topics.availability, OFFLINE, qos=1, retain=True)
            self._await(said.mid, max(ends - time.monotonic(), 0.0))
        client, self._closed = self._client, True
        del self._client  # paho closes its sockets when the client is freed
        client.disconnect()
        stopping = Thread(target=_stop, args=(client,), name="reelflow-mqtt-end", daemon=True)
        del client
        stopping.start()  # paho may be in the middle of a connection attempt
        stopping.join(max(ends - time.monotonic(), 0.1))

    @property
    def waiting(self) -> int:
        """Events that the broker has not acknowledged."""
        return self._events.waiting

    @property
    def problem(self) -> str:
        """Why there is no connection, or why the last attempt failed; without credentials."""
        return self._refusal or self._events.problem

    @property
    def failures(self) -> int:
        """Connections and deliveries that failed since the start, and refusals of the spool's disk."""
        return self._events.failures + self._refusals

    @property
    def lost(self) -> int:
        """Events that will never be delivered, over all restarts."""
        return self._events.lost

    def _connect(self, address: Address) -> "Client":
        client = _new_client(f"{socket.gethostname()}/{self._topics.base}")
        if address.user is not None or address.password is not None:
            client.username_pw_set(address.user or "", address.password)
        if address.scheme == "mqtts":
            client.tls_set()
        client.will_set(self._topics.availability, OFFLINE, qos=1, retain=True)
        client.reconnect_delay_set(1, LONGEST_RECONNECT_S)
        client.on_connect, client.on_connect_fail = self._on_connect, self._on_connect_fail
        client.on_disconnect, client.on_publish = self._on_disconnect, self._on_publish
        client.connect_async(address.host, address.port, KEEPALIVE_S)
        return client

    def _tell_state(self, state: str) -> None:
        with self._lock:
            if state != self._state and not self._closed:
                self._state = state
                self._client.publish(self._topics.state, state, retain=True)

    def _deliver(self, body: str) -> None:
        """Publish a message and wait for its PUBACK; one that paho still repeats is not published twice."""
        if self._pending is None or self._pending[0] != body:
            if not self._online:
                raise UndeliveredError(self._refusal or "not connected")
            with self._acknowledged:
                self._acks.clear()
            topic = self._topics.of(json.loads(body)["kind"])
            self._pending = body, self._client.publish(topic, body, qos=1).mid
        if not self._await(self._pending[1], ACKNOWLEDGED_S):
            raise UndeliveredError("the broker does not acknowledge the message")
        self._pending = None

    def _await(self, mid: int, timeout_s: float) -> bool:
        with self._acknowledged:
            return self._acknowledged.wait_for(lambda: mid in self._acks, timeout_s)

    def _on_connect(self, client: "Client", _1: object, _2: object, reason: "ReasonCode", _3: object) -> None:
        if reason.is_failure:
            self._refusals += 1
            self._refusal = f"the broker refused the connection: {reason}"
            return
        with self._lock:
            if self._discovery:
                client.publish(self._topics.discovery, self._topics.as_sensor(), retain=True)
            client.publish(self._topics.state, self._state, retain=True)
            client.publish(self._topics.availability, ONLINE, retain=True)
            self._refusal, self._online = "", True
        self._events.hurry()

    def _on_connect_fail(self, *_details: object) -> None:
        """Count it. paho calls this while it handles the error, and does not pass it on."""
        self._refusals += 1
        error = sys.exc_info()[1]
        self._refusal = "the broker cannot be reached" + (f": {printable(str(error))}" if error else "")

    def _on_disconnect(self, *_details: object) -> None:
        self._online = False

    def _on_publish(self, _1: object, _2: object, mid: int, *_details: object) -> None:
        with self._acknowledged:
            self._acks.add(mid)
            self._acknowledged.notify_all()


def _stop(client: "Client") -> None:
    client.loop_stop()
    client.on_connect = client.on_connect_fail = client.on_disconnect = client.on_publish = None


def _prefix(address: Address) -> str:
    prefix = address.path.strip("/") or PREFIX
    if NOT_IN_PREFIXES.search(prefix):
        raise ParamsError(f"the prefix of topics of {address.shown} holds + or #: choose other letters")
    return prefix


def _new_client(identity: str) -> "Client":
    """A client whose id is the same after a restart.

    So the broker ends an old connection that it still believes in, and tells its last will, before the new
    `online` and not after it (MQTT 3.1.1, 3.1.4-2).
    """
    try:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion
    except ImportError as error:
        raise ParamsError(
            "MQTT needs the package paho-mqtt, which is not installed: pip install 'reelflow[mqtt]'"
        ) from error
    name = hashlib.sha256(identity.encode(errors="surrogateescape")).hexdigest()
    return Client(CallbackAPIVersion.VERSION2, client_id=f"reelflow-{name[:12]}")
