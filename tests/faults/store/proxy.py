"""A proxy in front of an S3 server that does to requests what tests tell it, and counts them.

It forwards bytes as they are, signatures included, so that what it does not spoil is real.
"""

import http.client
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, urlsplit

ALWAYS = 1_000_000
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
SLICE_BYTES, SLICE_S = 6400, 0.1


@dataclass
class Answer:
    """What the server said."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Exchange(BaseHTTPRequestHandler):
    """One connection of a client; each request meets the fault that waits for its kind, if any."""

    protocol_version = "HTTP/1.1"
    server: "FaultyProxy"

    def serve(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.next_fault(self.server.kinds(self.command, self.path))
        (fault or pass_on)(self)

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = serve

    def forward(self, sent: bytes | None = None) -> Answer:
        upstream = self._upstream()
        upstream.send(self.sent if sent is None else sent)
        answer = upstream.getresponse()
        found = Answer(answer.status, answer.getheaders(), answer.read())
        upstream.close()
        return found

    def forward_half(self) -> None:
        """Send half of the request's body to the server, then break off."""
        upstream = self._upstream()
        upstream.send(self.sent[: len(self.sent) // 2])
        upstream.close()

    def give(self, answer: Answer, *, size_bytes: int | None = None) -> None:
        """Send an answer; `size_bytes` is what its headers claim of its body."""
        self.send_response_only(answer.status)
        for name, value in answer.headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        claimed = len(answer.body) if size_bytes is None else size_bytes
        if self.command == "HEAD":
            claimed = int(dict(answer.headers).get("Content-Length", 0))
        self.send_header("Content-Length", str(claimed))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
            self.wfile.flush()

    def break_off(self) -> None:
        """Reset the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.close_connection = True

    def wait_until_the_client_goes(self) -> None:
        self.connection.recv(1)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def _upstream(self) -> http.client.HTTPConnection:
        upstream = http.client.HTTPConnection(self.server.behind, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in ("expect", "connection"):
                upstream.putheader(name, value)
        upstream.endheaders()
        return upstream


Fault = Callable[[Exchange], None]
Kinds = Callable[[str, str], str]


class FaultyProxy(ThreadingHTTPServer):
    """Counts requests by kind: get, head, put, delete, list, and of uploads create, part, complete, abort.

    Attributes:
        seen: requests, by kind.
        injected: those that met a fault.
        served: those that met none and that the server granted, by kind and path.
    """

    daemon_threads = True

    def __init__(self, behind: str, kinds: "Kinds | None" = None) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.kinds: Kinds = kinds or kind_of
        self.behind = urlsplit(behind).netloc
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self._lock = Lock()
        self.heal()

    def spoil(self, kind: str, fault: Fault, times: int = ALWAYS, *, after: int = 0) -> None:
        """Let the next requests of a kind meet a fault; the first `after` of them do not."""
        first = self.seen[kind] + after
        self._faults[kind] = (fault, range(first + 1, first + 1 + times))

    def die_after(self, requests: int, last: Fault) -> None:
        """Serve so many requests, let the next one meet its end half-way, and answer none thereafter."""
        self._left, self._last = requests, last

    def heal(self) -> None:
        """Forget all faults and counts."""
        self.seen: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self.served: Counter[tuple[str, str]] = Counter()
        self.mend()

    def mend(self) -> None:
        """Forget all faults."""
        self._faults: dict[str, tuple[Fault, range]] = {}
        self._left, self._last = ALWAYS, reset

    def next_fault(self, kind: str) -> Fault | None:
        with self._lock:
            self.seen[kind] += 1
            self._left -= 1
            fault = self._fault(kind)
            self.injected[kind] += fault is not None
            return fault

    def _fault(self, kind: str) -> Fault | None:
        if self._left < 0:
            return self._last if self._left == -1 else reset
        fault, which = self._faults.get(kind, (pass_on, range(0)))
        return fault if self.seen[kind] in which else None

    def shutdown_request(self, request: socket.socket) -> None:
        """Close without a farewell, so that a reset is one."""
        self.close_request(request)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is what tests are about."""


@contextmanager
def faulty_proxy(behind: str, kinds: Kinds | None = None) -> Iterator[FaultyProxy]:
    """A proxy in front of this endpoint; `kinds` tells what a request is, by method and path."""
    with FaultyProxy(behind, kinds) as proxy:
        Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.shutdown()


def kind_of(command: str, path: str) -> str:
    """What S3 does for a request."""
    query = parse_qs(urlsplit(path).query, keep_blank_values=True)
    if "uploads" in query:
        return "create" if command == "POST" else "uploads"
    if "uploadId" in query:
        return {"PUT": "part", "POST": "complete", "DELETE": "abort"}[command]
    return "list" if "list-type" in query else command.lower()


def pass_on(exchange: Exchange) -> None:
    answer = exchange.forward()
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        kind = exchange.server.kinds(exchange.command, exchange.path)
        exchange.server.served[kind, urlsplit(exchange.path).path] += 1
    exchange.give(answer)


def busy(exchange: Exchange) -> None:
    exchange.give(_error(503, "SlowDown"))


def broken(exchange: Exchange) -> None:
    exchange.give(_error(500, "InternalError"))


def throttled(exchange: Exchange) -> None:
    exchange.give(_error(429, "TooManyRequests"))


def absent(exchange: Exchange) -> None:
    """What a writer sees who looks before another one has stored the object."""
    exchange.give(_error(404, "NoSuchKey"))


def unconditional(exchange: Exchange) -> None:
    """A server that knows no conditions, and says so."""
    condition = exchange.headers.get("If-None-Match")
    exchange.give(_error(501, "NotImplemented") if condition else exchange.forward())


def reset(exchange: Exchange) -> None:
    exchange.break_off()


def reset_when_done(exchange: Exchange) -> None:
    exchange.forward()
    exchange.break_off()


def stall(exchange: Exchange) -> None:
    exchange.wait_until_the_client_goes()


def stall_when_done(exchange: Exchange) -> None:
    exchange.forward()
    exchange.wait_until_the_client_goes()


def stall_half_way(exchange: Exchange) -> None:
    _give_half(exchange)
    exchange.wait_until_the_client_goes()


def truncate(exchange: Exchange) -> None:
    _give_half(exchange)
    exchange.close_connection = True


def slow(exchange: Exchange) -> None:
    """64 kB/s."""
    answer = exchange.forward()
    exchange.give(replace(answer, body=b""), size_bytes=len(answer.body))
    for start in range(0, len(answer.body), SLICE_BYTES):
        exchange.wfile.write(answer.body[start : start + SLICE_BYTES])
        time.sleep(SLICE_S)


def flip(exchange: Exchange) -> None:
    answer = exchange.forward()
    answer.body = _flipped(answer.body)
    exchange.give(answer)


def flip_anywhere(exchange: Exchange) -> None:
    """Other bytes each time, as a bad line does."""
    answer = exchange.forward()
    answer.body = _flipped(answer.body, exchange.server.seen["get"])
    exchange.give(answer)


def flip_sent(exchange: Exchange) -> None:
    exchange.give(exchange.forward(_flipped(exchange.sent)))


def cut_sent(exchange: Exchange) -> None:
    exchange.forward_half()
    exchange.break_off()


def garble(exchange: Exchange) -> None:
    answer = exchange.forward()
    answer.body = b"<html>cut off"
    exchange.give(answer)


def other(exchange: Exchange) -> None:
    """What a server gives that knows no S3."""
    exchange.forward()
    exchange.give(Answer(200, [("Content-Type", "text/html")], b"<html>hello</html>"))


def answering(body: str) -> Fault:
    """What a server gives that is broken, or hostile."""

    def fault(exchange: Exchange) -> None:
        exchange.give(Answer(200, [("Content-Type", "application/xml")], body.encode()))

    return fault


def _give_half(exchange: Exchange) -> None:
    answer = exchange.forward()
    size_bytes = len(answer.body)
    answer.body = answer.body[: size_bytes // 2]
    exchange.give(answer, size_bytes=size_bytes)


def _flipped(body: bytes, place: int = 0) -> bytes:
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def _error(status: int, code: str) -> Answer:
    body = f"<Error><Code>{code}</Code><Message>injected</Message></Error>".encode()
    return Answer(status, [("Content-Type", "application/xml")], body)
