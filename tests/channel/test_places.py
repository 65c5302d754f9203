"""Addresses of channels, and what devices need to follow one."""

import shutil
import socket
import sys
import threading
import time
from base64 import b64encode

import pytest

from reelflow.edge.update.channel.place import parse_place
from reelflow.errors import ChannelError, ParamsError
from tests.channel.fleet import LIMITS, Device


def test_a_folder_its_file_address_and_a_web_server_are_the_same_channel(publisher, server, first, tmp_path):
    publisher.publish(first)
    spaced = shutil.copytree(publisher.folder, tmp_path / "a folder %20 ü")
    addresses = [
        str(publisher.folder),
        publisher.folder.as_uri(),
        server.address,
        f"{server.address}/",
        str(spaced),
    ]
    rollouts = [
        Device(tmp_path / str(number), publisher.root, address).client.refresh()
        for number, address in enumerate(addresses)
    ]
    assert len(set(rollouts)) == 1


def test_user_and_password_are_sent_and_never_shown(publisher, server, first, tmp_path):
    publisher.publish(first)
    server.authorization = "Basic " + b64encode(b"camera:s3cr@t").decode()
    address = server.address.replace("://", "://camera:s3cr%40t@")
    assert Device(tmp_path / "right", publisher.root, address).update() is not None
    other = Device(tmp_path / "wrong", publisher.root, server.address.replace("://", "://camera:wr0ng@"))
    with pytest.raises(ChannelError, match="the answer is 401") as raised:
        other.update()
    assert "wr0ng" not in str(raised.value)


def test_a_proxy_of_the_environment_is_used(publisher, server, first, tmp_path, monkeypatch):
    publisher.publish(first)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.address)
    assert Device(tmp_path / "device", publisher.root, "http://channel.invalid").update() is not None


@pytest.mark.parametrize(
    "address",
    ["ftp://host/x", "s3://bucket/x", "http://", "http://host/x?y=z", "file://host/x", "http://h:x/"],
)
def test_an_address_that_is_none(address):
    with pytest.raises(ParamsError):
        parse_place(address)


def test_a_tls_handshake_that_drips_is_ended(publisher, tmp_path):
    """A byte now and then, before there is a connection to speak HTTP on."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=(listening, over), daemon=True).start()
        address = f"https://127.0.0.1:{listening.getsockname()[1]}"
        device, begun = Device(tmp_path / "device", publisher.root, address), time.monotonic()
        with pytest.raises(ChannelError, match="too slow") as raised:
            device.update()
        over.set()
    assert raised.value.may_pass
    assert time.monotonic() - begun < LIMITS.attempts * (LIMITS.timeout_s + 1.5)


def drip(listening: socket.socket, over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            try:
                connection.sendall(b"\x16\x03\x03\x40\x00")  # the head of a long record
                while not over.wait(0.05):
                    connection.sendall(b"\x02")
            except OSError:
                continue


def test_without_the_extra_its_name_is_told(device, monkeypatch):
    monkeypatch.setitem(sys.modules, "tuf", None)
    monkeypatch.setitem(sys.modules, "tuf.ngclient", None)
    with pytest.raises(ParamsError, match=r"pip install 'reelflow\[update\]'"):
        _ = device.client
