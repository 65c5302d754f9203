"""The REST API over HTTP: tokens, and faults to order."""

import json
import re
import socket
import ssl
import struct
import sys
import threading
import traceback
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fake_kfp.store import Document, Refusal, Request, Store

PREFIX = "/apis/v2beta1"
HTML = b"<html><head><title>Sign in</title></head><body>Please sign in</body></html>"
LONG_S = 60.0


@dataclass
class Fault:
    """A request that goes wrong.

    Attributes:
        kind: an HTTP status; "reset" (not carried out), "lost" (carried out, no answer), "slow",
            "truncated", "garbage" (all carried out), "html" (not carried out).
        skip: how many matching requests succeed before.
        times: how many then fail.
    """

    kind: int | str
    method: str
    path: str
    skip: int
    times: int

    def strikes(self, request: Request) -> bool:
        if self.method not in ("", request.method) or not re.search(self.path, request.path):
            return False
        self.skip -= 1
        if self.skip >= 0 or self.times <= 0:
            return False
        self.times -= 1
        return True


class FakeKfp:
    """The server; a context manager.

    Attributes:
        store: what it holds; tests may look and change.
        requests: what was asked, in order.
    """

    def __init__(self, *namespaces: str, certificate: Path | None = None) -> None:
        self.store = Store(namespaces)
        self.requests: list[Request] = []
        self.headers: list[dict[str, str]] = []
        self.faults: list[Fault] = []
        self.mistakes: list[str] = []
        self.closing = threading.Event()
        self._tokens: dict[str, float] | None = None
        self._lock = threading.Lock()
        self._server = _Server(self)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.host = f"{'https' if certificate else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *raised: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        assert not self.mistakes, self.mistakes[0]

    def allow(self, token: str, requests: float = float("inf")) -> None:
        """From now on only such tokens are let in, this one for so many requests."""
        self._tokens = {**(self._tokens or {}), token: requests}

    def fail(
        self, kind: int | str, *, method: str = "", path: str = "", skip: int = 0, times: int = 1
    ) -> None:
        self.faults.append(Fault(kind, method, path, skip, times))

    @property
    def writes(self) -> list[str]:
        """The requests that change something, as `POST /runs`."""
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET"]

    def answer(self, request: Request, headers: dict[str, str]) -> tuple[int | str, Document]:
        """The status, or the kind of fault, and the document."""
        token = headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            self.requests.append(request)
            self.headers.append(headers)
            fault = next((one.kind for one in self.faults if one.strikes(request)), None)
            if fault in ("reset", "html", 302):
                return fault, {}
            try:
                if isinstance(fault, int):
                    raise Refusal(fault, f"ordered by a test ({token})")
                self._admit(token)
                return fault or 200, self.store.answer(request)
            except Refusal as refusal:
                return refusal.status, refusal.document

    def _admit(self, token: str) -> None:
        if self._tokens is not None:
            if self._tokens.get(token, 0) < 1:
                raise Refusal(401, f"Request unauthenticated: {token or 'no token'} is expired or unknown")
            self._tokens[token] -= 1


class _Server(ThreadingHTTPServer):
    def __init__(self, fake: FakeKfp) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep mistakes of the fake; a client that goes away or trusts no certificate is not one."""
        if not isinstance(sys.exc_info()[1], OSError):
            self.fake.mistakes.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, *arguments: Any) -> None:
        """Be silent."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        content_type = self.headers.get("Content-Type") or ""
        request = Request(self.command, url.path.removeprefix(PREFIX), query, body, content_type)
        headers = {key.lower(): value for key, value in self.headers.items()}
        status, document = self.server.fake.answer(request, headers)
        content = json.dumps(document).encode()
        if status in ("reset", "lost", "slow"):
            if status == "slow":
                self.server.fake.closing.wait(LONG_S)
            self._break_off()
        elif status == "truncated":
            self._send(200, content, sent=content[: len(content) // 2])
            self._break_off()
        elif status in ("html", 302):
            self._send(200 if status == "html" else 302, HTML, "text/html")
        else:
            self._send(
                200 if status == "garbage" else int(status), content[: -1 if status == "garbage" else None]
            )

    do_POST = do_DELETE = do_GET

    def _send(
        self, status: int, content: bytes, kind: str = "application/json", sent: bytes | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if status == 302:
            self.send_header("Location", "/dex/auth")
        self.end_headers()
        self.wfile.write(content if sent is None else sent)

    def _break_off(self) -> None:
        """Close the connection with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
