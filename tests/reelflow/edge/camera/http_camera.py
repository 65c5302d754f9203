"""A camera that sends JPEG after JPEG over HTTP, and does what cameras do wrong."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import numpy as np
from PIL import Image

Sending = Callable[["HttpCamera", Callable[[bytes], object]], None]


def jpeg(level: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A picture of one grey level with some texture."""
    pixels = np.clip(level + np.random.default_rng(level).integers(-20, 20, (*size[::-1], 3)), 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


class HttpCamera:
    """Serves one stream at a time as the sending of the moment says.

    Attributes:
        connections: so far.
        stop: set at the end.
    """

    def __init__(self, *sendings: Sending) -> None:
        self.connections, self.stop = 0, Event()
        camera, left = self, list(sendings)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                camera.connections += 1
                sending = left.pop(0) if len(left) > 1 else left[0]
                handler.send_response(200)
                handler.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
                handler.end_headers()
                with suppress(OSError):
                    sending(camera, lambda picture: handler.wfile.write(part(picture)))

            def log_message(handler, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"http://user:s3cret@127.0.0.1:{self.server.server_port}/live?key=s3cret"
        Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


def part(picture: bytes) -> bytes:
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
    return head.encode() + picture + b"\r\n"


@contextmanager
def http_camera(*sendings: Sending) -> Iterator[HttpCamera]:
    """A camera; the last sending stays."""
    camera = HttpCamera(*sendings)
    try:
        yield camera
    finally:
        camera.stop.set()
        camera.server.shutdown()
        camera.server.server_close()


def steady(
    count: int = 10**6, *, fps: float = 25, level: int = 120, size: tuple[int, int] = (64, 48)
) -> Sending:
    """So many pictures at this rate; then the connection ends."""
    picture = jpeg(level, size)

    def send(camera: HttpCamera, write: Callable[[bytes], object]) -> None:
        for _ in range(count):
            write(picture)
            if camera.stop.wait(1 / fps):
                return

    return send


def until(over: Event) -> Sending:
    """Pictures at 25 a second until something is over; then the connection ends."""
    picture = jpeg(120)

    def send(camera: HttpCamera, write: Callable[[bytes], object]) -> None:
        while not over.is_set() and not camera.stop.wait(0.04):
            write(picture)

    return send


def silent(after: Sending) -> Sending:
    """Falls silent, and holds the connection."""

    def send(camera: HttpCamera, write: Callable[[bytes], object]) -> None:
        after(camera, write)
        camera.stop.wait(600)

    return send


def dripping(camera: HttpCamera, write: Callable[[bytes], object]) -> None:
    """One byte of nonsense a second."""
    while not camera.stop.wait(0.2):
        write(b"")


def wait_for(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until something holds.

    Raises:
        AssertionError: it does not in this time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
