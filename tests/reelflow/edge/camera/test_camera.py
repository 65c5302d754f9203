"""What a network does wrong: each is told, tried again, and ends when asked to."""

import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Thread

import pytest
from PIL import Image

from reelflow.edge.camera.address import parse_source
from reelflow.edge.camera.camera import Camera
from reelflow.edge.camera.wire import Told
from tests.reelflow.edge.camera.http_camera import http_camera, jpeg, part, steady, wait_for
from tests.slowly import slow_but

TIMEOUT_S = 4.0
LONG_S = 30.0  # where another reason is expected: a loaded machine starts the reading process slowly
Answer = Callable[[socket.socket], object]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """A TCP server that answers every connection like this; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    held.append(connection)
                    with suppress(OSError):
                        answer(connection)

        held: list[socket.socket] = []
        Thread(target=serve, daemon=True).start()
        try:
            yield str(listening.getsockname()[1])
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for connection in held:
                connection.close()


def reply(status: str, body: bytes = b"", kind: str = "text/html") -> Answer:
    """An HTTP answer, and the end."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda connection: (connection.recv(65536), connection.sendall(head + body), connection.close())


def forever(chunk: bytes, every_s: float) -> Answer:
    """The same bytes again and again."""

    def send(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
        )
        while True:
            connection.sendall(chunk)
            time.sleep(every_s)

    return send


@cache
def huge_jpeg() -> bytes:
    """A grey picture of 100 megapixels."""
    buffer = io.BytesIO()
    Image.new("L", (10_001, 10_001), 100).save(buffer, "JPEG")
    return buffer.getvalue()


REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"
FAULTS: dict[str, tuple[str, Answer, str]] = {
    "accepts and says nothing": ("http", lambda _: None, "has sent nothing for 4 s"),
    "accepts RTSP and says nothing": ("rtsp", lambda _: None, "has sent nothing for 4 s"),
    "closes at once": ("http", lambda connection: connection.close(), "cannot be read"),
    "closes RTSP at once": ("rtsp", lambda connection: connection.close(), "cannot be read"),
    "wrong password": ("http", reply("401 Unauthorized"), "authorization failed"),
    "not found": ("http", reply("404 Not Found"), "404 Not Found"),
    "a page": ("http", reply("200 OK", b"<html>" * 1000), "cannot be read"),
    "a picture of nothing": (
        "http",
        reply("200 OK", b"\xff\xd8\xff\xd9", "image/jpeg"),
        "no frame|cannot be",
    ),
    "leads to a file": (
        "http",
        lambda connection: (connection.recv(65536), connection.sendall(REDIRECT), connection.close()),
        "cannot be read",
    ),
    "drips nonsense": ("http", forever(b"x", 0.3), "has sent nothing for 4 s"),
    "frames of no picture": ("http", forever(part(b"\0" * 50), 0.02), "has sent nothing|no frame|damaged"),
    "a picture of 100 megapixels": (
        "http",
        lambda connection: forever(part(huge_jpeg()), 1)(connection),
        "cannot|too large|nothing",
    ),
}


def first_end(camera: Camera) -> Told:
    """The first failure, or end."""
    found: list[Told] = []

    def ended() -> bool:
        told = camera.next(0.2)
        if told is not None and told.header.kind in ("failed", "ended"):
            found.append(told)
        return bool(found)

    wait_for(ended)
    return found[0]


QUICK = ("closes at once", "wrong password", "leads to a file")


@pytest.mark.parametrize("fault", slow_but(FAULTS, *QUICK))
def test_a_fault_is_told_without_secrets_and_the_source_is_tried_again(fault):
    scheme, answer, told = FAULTS[fault]
    with server(answer) as port:
        source = parse_source(f"{scheme}://admin:s3cret@127.0.0.1:{port}/a?key=s3cret")
        camera = Camera(source, 0.1, TIMEOUT_S if "nothing" in told else LONG_S)
        try:
            reason = first_end(camera).header.reason
            assert re.search(told, reason, re.IGNORECASE), reason
            assert "s3cret" not in reason
            wait_for(lambda: camera.next(0.2) is None and camera.reconnects >= 1)
        finally:
            started = time.monotonic()
            camera.close()
            assert time.monotonic() - started < 10


def test_a_dead_address_is_told():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    camera = Camera(parse_source(f"http://127.0.0.1:{port}/"), 0.1, LONG_S)
    try:
        assert "refused" in first_end(camera).header.reason
    finally:
        camera.close()


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_host_whose_name_is_not_known_is_told(scheme):
    camera = Camera(parse_source(f"{scheme}://u:s3cret@no-such-host.invalid/x"), 0.1, 20.0)
    try:
        reason = first_end(camera).header.reason
        assert re.search("name resolution|not known|No address", reason), reason
        assert "s3cret" not in reason
    finally:
        camera.close()


def test_a_change_of_size_in_the_middle_is_no_end():
    small, large = jpeg(100), jpeg(100, (160, 120))

    def send(camera, write):
        for number in range(10**6):
            write(small if number % 40 < 20 else large)
            if camera.stop.wait(0.02):
                return

    with http_camera(send) as served:
        camera = Camera(parse_source(served.address), 0.1, 30.0)
        shapes = set()
        try:

            def seen() -> bool:
                told = camera.next(0.2)
                shapes.update([told.header.shape] if told and told.header.kind == "frame" else [])
                return len(shapes) == 2

            wait_for(seen)
        finally:
            camera.close()
        assert served.connections == 1
    assert shapes == {(48, 64, 3), (120, 160, 3)}


def test_a_consumer_that_is_slow_loses_the_oldest_pictures_and_they_are_counted():
    with http_camera(steady(fps=100)) as served:
        camera = Camera(parse_source(served.address), 0.01, 30.0)
        try:
            wait_for(lambda: camera.dropped > 50)
            told = [camera.next(1) for _ in range(5)]
        finally:
            camera.close()
    pictures = [one for one in told if one and one.header.kind == "frame"]
    assert time.monotonic() - pictures[0].header.taken_s < 5, "the newest are kept"
