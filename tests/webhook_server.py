"""A real HTTP server on this machine that answers as it is told to."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ENDLESS = {"drip": (b"HTTP/1.1 200 OK\r\nX: ", b"x"), "continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n")}


class WebhookServer(ThreadingHTTPServer):
    """Keeps the bodies that it said 200 to, and all requests.

    Attributes:
        plan: what the next requests get: a status, seconds to stall, `hold`, `cut`, `noise`, or an answer
            without an end, `drip` or `continue`; then 200.
        free: ends what is held.
        path: that is right; all others get 404.
        authorization: that is right; none takes all.
        location: where a redirect leads.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.free = threading.Event()
        self.plan: list[int | float | str] = []
        self.path, self.authorization = "/hook?a=b%20c", None
        self.location = "http://user:secret@127.0.0.1:1/other"
        self.taken: list[str] = []
        self.requests: list[tuple[str, dict[str, str]]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{self.path}"

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: WebhookServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        server.requests.append((self.path, dict(self.headers)))
        step = server.plan.pop(0) if server.plan else 200
        if isinstance(step, float):
            time.sleep(step)
            return
        if step == "hold":
            server.free.wait(60)
            step = 200
        if step in ENDLESS:
            beginning, more = ENDLESS[str(step)]
            self.wfile.write(beginning)
            while not server.free.wait(0.02):
                self.wfile.write(more)
            return
        if step in ("cut", "noise"):
            self.wfile.write(b"HTTP/1.1 2" if step == "cut" else b"\0\1\2 this is no HTTP\r\n\r\n")
            return
        if self.path != server.path:
            step = 404
        if server.authorization not in (None, self.headers.get("Authorization")):
            step = 401
        if step == 200:
            server.taken.append(body)
        self.send_response(int(step))
        if 300 <= int(step) < 400:
            self.send_header("Location", server.location)
        self.end_headers()
        self.wfile.write(b"x" * 100)


@contextmanager
def serving() -> Iterator[WebhookServer]:
    with WebhookServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
