"""Events reach a real broker in order, once; state and availability are right, through its crashes."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelflow.edge.sinks import mqtt
from reelflow.edge.sinks.delivery import Deliverer
from reelflow.edge.sinks.open import open_sink
from reelflow.edge.sinks.spooled import encoded
from tests.certificates import certificate_in
from tests.mosquitto import BROKER, Listener, Mosquitto, retained, running
from tests.sink_messages import event, reading, source, wait_for

pytestmark = pytest.mark.slow  # mosquitto, which `make test-slow` installs

BASE = "home/cams/porch"
needs_broker = pytest.mark.skipif(BROKER is None, reason="needs mosquitto: apt-get install mosquitto")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    if BROKER is None:
        pytest.skip("needs mosquitto: apt-get install mosquitto")
    with running(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def listener(shared: Mosquitto, request: pytest.FixtureRequest) -> Iterator[Listener]:
    listener = Listener(shared.port, request.node.name)
    yield listener
    listener.close()


def test_events_go_out_and_the_state_is_retained(shared: Mosquitto, listener: Listener, tmp_path: Path):
    sink = open_sink(shared.address(), tmp_path, "porch")
    messages = [source("connected"), event(1), event(1, "update"), event(1, "end")]
    for message in messages:
        sink.send(message)
    wait_for(lambda: not sink.waiting)
    for label in ("walk", "walk", None, "run"):
        sink.send(reading(label))
    wait_for(lambda: "run" in listener.on(f"{BASE}/state"))
    assert listener.on(f"{BASE}/event") == [encoded(message) for message in messages[1:]]
    assert listener.on(f"{BASE}/source") == [encoded(messages[0])]
    assert listener.on(f"{BASE}/state") == ["no source", "walk", "unsure", "run"]
    found = retained(shared.port)
    assert (found[f"{BASE}/state"], found[f"{BASE}/availability"]) == ("run", "online")
    assert not {f"{BASE}/event", f"{BASE}/source"} & set(found)
    sink.close(20)
    found = retained(shared.port)
    assert (found[f"{BASE}/state"], found[f"{BASE}/availability"]) == ("no source", "offline")
    assert sink.lost == 0


def test_home_assistant_is_told_of_the_topics(shared: Mosquitto, listener: Listener, tmp_path: Path):
    sink = open_sink(shared.address("/ha"), tmp_path, "Front door/1")
    wait_for(lambda: sink._online)
    sink.close(20)
    (topic,) = [topic for topic in retained(shared.port) if topic.startswith("homeassistant/sensor/ha_Front")]
    config = json.loads(retained(shared.port)[topic])
    assert topic == f"homeassistant/sensor/{config['unique_id']}/config"
    assert config["device"]["name"] == "Front door/1"
    assert retained(shared.port)[config["availability_topic"]] == "offline"
    assert retained(shared.port)[config["state_topic"]] == "no source"


def test_discovery_can_be_left_out(shared: Mosquitto, listener: Listener, tmp_path: Path):
    sink = open_sink(shared.address("/plain?discovery=0"), tmp_path, "porch")
    wait_for(lambda: listener.on("plain/porch/availability"))
    sink.close(20)
    assert not any(topic.startswith("homeassistant/sensor/plain") for topic in retained(shared.port))


def test_a_lost_source_has_no_state(shared: Mosquitto, listener: Listener, tmp_path: Path):
    sink = open_sink(shared.address("/lost"), tmp_path, "porch")
    sink.send(reading("walk"))
    wait_for(lambda: "walk" in listener.on("lost/porch/state"))
    sink.send(source("lost"))
    wait_for(lambda: listener.on("lost/porch/state")[-1] == "no source")
    sink.close(20)


def test_a_wrong_password_keeps_the_events_and_is_not_shown(shared: Mosquitto, tmp_path: Path):
    address = shared.address("/auth")
    sink = open_sink(address.replace("%40", "%41"), tmp_path, "porch")
    sink.send(event())
    wait_for(lambda: "refused the connection" in sink.problem)
    assert sink.failures
    assert not any(part in sink.problem + sink.name for part in ("pa:ss", "wArd", "%", "ser"))
    sink.close(20)
    right = open_sink(address, tmp_path, "porch")
    wait_for(lambda: not right.waiting)
    right.close(20)


KILLED = """
import sys, time
from pathlib import Path
from reelflow.edge.sinks.delivery import Deliverer
from reelflow.edge.sinks.open import open_sink
sink = open_sink(sys.argv[1], Path(sys.argv[2]), "porch")
time.sleep(60)
"""


def test_the_broker_says_offline_for_a_killed_process(shared: Mosquitto, listener: Listener, tmp_path: Path):
    process = subprocess.Popen([sys.executable, "-c", KILLED, shared.address("/killed"), tmp_path])
    wait_for(lambda: "online" in listener.on("killed/porch/availability"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: listener.on("killed/porch/availability") == ["online", "offline"])


@needs_broker
def test_a_broker_that_goes_and_comes_back_gets_all_in_order_once(tmp_path: Path):
    with running(tmp_path) as broker:
        listener = Listener(broker.port)
        sink = open_sink(broker.address(), tmp_path / "spool", "porch")
        sink.send(event(0))
        sink.send(reading("walk"))
        wait_for(lambda: len(listener.on(f"{BASE}/event")) == 1)
        broker.kill()
        wait_for(lambda: not sink._online)
        for number in range(1, 20):
            sink.send(event(number))
            sink.send(reading(f"label-{number}"))
        wait_for(lambda: sink.failures)
        assert sink.waiting == 19
        broker.start()
        wait_for(lambda: not sink.waiting)
        wait_for(lambda: len(listener.on(f"{BASE}/event")) >= 20)
        wait_for(lambda: listener.on(f"{BASE}/state")[-1] == "label-19")
        assert listener.on(f"{BASE}/event") == [encoded(event(number)) for number in range(20)]
        assert retained(broker.port)[f"{BASE}/state"] == "label-19"
        assert retained(broker.port)[f"{BASE}/availability"] == "online"
        sink.close(20)
        listener.close()


@needs_broker
def test_a_broker_that_comes_later_gets_what_waited_at_once(tmp_path: Path, monkeypatch):
    hours = {"first_wait_s": 3600.0, "longest_wait_s": 3600.0}
    monkeypatch.setattr(Deliverer.__init__, "__kwdefaults__", hours)
    with running(tmp_path) as broker:
        listener = Listener(broker.port)
        broker.kill()
        sink = open_sink(broker.address(), tmp_path / "spool", "porch")
        sink.send(event(1))
        wait_for(lambda: sink.failures)
        sink.close(1)
        sink = open_sink(broker.address(), tmp_path / "spool", "porch")
        sink.send(event(2))
        broker.start()
        wait_for(lambda: len(listener.on(f"{BASE}/event")) == 2)
        sink.close(20)
        assert listener.on(f"{BASE}/event") == [encoded(event(1)), encoded(event(2))]
        listener.close()


@needs_broker
@pytest.mark.filterwarnings(
    "ignore:unclosed <ssl", "ignore::pytest.PytestUnraisableExceptionWarning"
)  # in paho
def test_a_certificate_must_be_known(tmp_path: Path, monkeypatch):
    certificate = certificate_in(tmp_path)
    with running(tmp_path, certificate) as broker:
        address = broker.address(scheme="mqtts", host="localhost")
        sink = open_sink(address, tmp_path / "spool", "porch")
        sink.send(event())
        wait_for(lambda: "certificate" in sink.problem)
        sink.close(5)
        assert sink.waiting == 1
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        sink = open_sink(address, tmp_path / "spool", "porch")
        wait_for(lambda: not sink.waiting)
        sink.close(20)


class SilentBroker:
    """Accepts a connection and acknowledges no message."""

    def __init__(self) -> None:
        self.received = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x20\x02\x00\x00")
            while data := connection.recv(10_000):
                self.received += data

    def close(self) -> None:
        self._thread.join()
        self._listener.close()


def test_what_is_not_acknowledged_stays_and_is_published_once(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(mqtt, "ACKNOWLEDGED_S", 0.05)
    broker = SilentBroker()
    sink = open_sink(f"mqtt://127.0.0.1:{broker.port}/", tmp_path, "porch")
    sink.send(event())
    wait_for(lambda: "does not acknowledge" in sink.problem)
    failures = sink.failures
    wait_for(lambda: sink.failures > failures)
    assert broker.received.count(b'"kind":"event"') == 1
    sink.close(0.5)
    broker.close()
    again = open_sink("http://127.0.0.1:1/", tmp_path, "porch")
    again.close(5)
    assert sink.waiting == 1
