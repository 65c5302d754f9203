"""A real MQTT broker, and a client that hears all that it says."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.sink_messages import wait_for

BROKER = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin")
USER, PASSWORD = "üser", "pa:ss w@rd"
IN_ADDRESS = "%C3%BCser:pa%3Ass%20w%40rd"


def free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


class Mosquitto:
    """A broker in a folder, which can be killed and started again."""

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self.port, self._folder = free_port(), folder
        self._log = folder / "mosquitto.log"
        passwords = folder / "passwords"
        subprocess.run(
            ["mosquitto_passwd", "-c", "-b", passwords, USER, PASSWORD], check=True, capture_output=True
        )
        lines = [
            "user root",  # else it cannot read the folder, where root runs the tests
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            "persistence true",
            f"persistence_location {folder}/",
            f"log_dest file {self._log}",
        ]
        if certificate:
            lines += [f"certfile {certificate[0]}", f"keyfile {certificate[1]}"]
        (folder / "conf").write_text("\n".join(lines) + "\n")
        self.start()

    def start(self) -> None:
        assert BROKER
        self._process = subprocess.Popen(
            [BROKER, "-c", self._folder / "conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers)

    def _answers(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def kill(self) -> None:
        """As a crash; sessions and retained messages are on its disk."""
        database = self._folder / "mosquitto.db"
        database.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        wait_for(database.exists)
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def address(self, path: str = "/home/cams", scheme: str = "mqtt", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{IN_ADDRESS}@{host}:{self.port}{path}"


class Listener:
    """Hears every topic, with a session that outlives the broker's crash.

    Attributes:
        heard: topic, payload and whether it was retained.
    """

    def __init__(self, port: int, name: str = "listener") -> None:
        self.heard: list[tuple[str, str, bool]] = []
        self._subscribed = False
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        wait_for(lambda: self._subscribed)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed = True

    def _on_message(self, _client: object, _data: object, message: object) -> None:
        self.heard.append((message.topic, message.payload.decode(), message.retain))  # type: ignore[attr-defined]

    def on(self, topic: str) -> list[str]:
        return [payload for heard, payload, _ in list(self.heard) if heard == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None  # so it is freed


def retained(port: int) -> dict[str, str]:
    """What a client is told that comes now."""
    listener = Listener(port, f"late-{time.monotonic_ns()}")
    time.sleep(0.2)
    listener.close()
    return {topic: payload for topic, payload, was_retained in listener.heard if was_retained}


@contextmanager
def running(folder: Path, certificate: tuple[Path, Path] | None = None) -> Iterator[Mosquitto]:
    broker = Mosquitto(folder, certificate)
    try:
        yield broker
    finally:
        broker.stop()
