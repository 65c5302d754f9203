"""A web server over a channel's folder, with faults in front of the real files."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

DRIP_S = 0.05


class FileServer(ThreadingHTTPServer):
    """Serves a folder, with parts of files (RFC 9110, 14).

    Attributes:
        faults: what a request gets whose path holds the key: a status, `cut`, `drip`, `stall`, `slow_head`,
            `endless`, `html`, `loop`, `noise`, `nowhere` (a part of no file), `astray` (a redirect to no
            address), `whole` (it knows no parts), `shifted` (another part), or content in its place.
        times: how often each fault happens; without a number, always.
        requests: paths that were asked for.
        sent: bytes of bodies, by path.
        authorization: that is right; empty takes all.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Files)
        self.folder = folder
        self.faults: dict[str, int | str | bytes] = {}
        self.times: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []
        self.sent: Counter[str] = Counter()
        self.over = threading.Event()
        self.authorization = ""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, path: str) -> int | str | bytes | None:
        for part, fault in self.faults.items():
            if part in path and self.times.get(part, 1) > 0:
                self.times[part] = self.times.get(part, 1_000_000) - 1
                return fault
        return None

    def handle_error(self, *_: Any) -> None:
        """A client that went away is no news."""


class _Files(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        server.requests.append((self.path, self.headers.get("Range", "")))
        fault = server.fault(self.path)
        path = server.folder / urlsplit(self.path).path.lstrip("/")  # a proxy gets the whole address
        if server.authorization not in ("", self.headers.get("Authorization")):
            self.answer(401, b"")
        elif isinstance(fault, int):
            self.answer(fault, b"")
        elif isinstance(fault, bytes):
            self.answer(200, fault)
        elif fault in ("html", "loop", "noise", "nowhere", "astray", "stall", "slow_head", "endless"):
            getattr(self, fault)()
        elif path.is_file():
            self.file(path.read_bytes(), fault)
        else:
            self.answer(404, b"")

    def file(self, content: bytes, fault: str | None) -> None:
        asked = self.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and fault != "whole" else 0
        if start >= len(content) > 0:
            return self.answer(416, b"")
        self.send_response(206 if start else 200)
        shift = 1 if fault == "shifted" and start else 0
        if start:
            self.send_header("Content-Range", f"bytes {start + shift}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        rest = content[start:]
        if fault == "cut":
            rest = rest[: len(rest) // 2]
        if fault == "drip":
            return self.drip(rest)
        self.write(rest)
        if fault == "cut":
            self.connection.shutdown(2)
        return None

    def answer(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.write(content)

    def html(self) -> None:
        self.answer(200, b"<!doctype html><title>Welcome to our guest network</title>")

    def loop(self) -> None:
        self.answer(302, b"", Location=self.path)

    def noise(self) -> None:
        self.wfile.write(b"\0\1\2 this is no HTTP\r\n\r\n")

    def astray(self) -> None:
        self.answer(302, b"", Location="http://[")

    def nowhere(self) -> None:
        self.answer(206, b"", **{"Content-Range": f"bytes {'9' * 5000}-"})

    def stall(self) -> None:
        self.server.over.wait(30)

    def slow_head(self) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000)

    def endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.over.is_set():
            self.write(b"x" * 65536)

    def drip(self, content: bytes) -> None:
        for place in range(len(content)):
            if self.server.over.is_set():
                return
            self.write(content[place : place + 1])
            self.wfile.flush()
            time.sleep(DRIP_S)

    def write(self, content: bytes) -> None:
        self.server.sent[self.path] += len(content)
        self.wfile.write(content)


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    server = FileServer(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        server.server_close()
