"""The REST API over HTTP: tokens, and faults to order."""

import json
import re
import socket
import ssl
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fake_kfp.request import Document, Refusal, Request
from tests.fake_kfp.store import FakeStore

PREFIX = "/apis/v2beta1"
HTML = b"<html><head><title>Sign in</title></head><body>Please sign in</body></html>"
LONG_S = 60.0


@dataclass
class Fault:
    """Requests that go wrong: after `skip` matching ones, so many `times`.

    Attributes:
        kind: an HTTP status; "reset" (not carried out), "lost" (carried out, no answer), "slow",
            "truncated", "garbage" (all carried out), "html" (not carried out).
    """

    kind: int | str
    method: str = ""
    path: str = ""
    skip: int = 0
    times: int = 1

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
        self.store = FakeStore(namespaces)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.closing = threading.Event()
        self._tokens: dict[str, float] | None = None
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": self}))
        self._server.handle_error = lambda *client: None  # type: ignore[method-assign]  # a client went away
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

    def allow(self, token: str, requests: float = float("inf")) -> None:
        """From now on only such tokens are let in, this one for so many requests."""
        self._tokens = {**(self._tokens or {}), token: requests}

    def fail(self, kind: int | str, **fault: Any) -> None:
        """Let requests go wrong, as `Fault` says."""
        self.faults.append(Fault(kind, **fault))

    @property
    def writes(self) -> list[str]:
        """The requests that change something, as `POST /runs`."""
        return [f"{r.method} {r.path}" for r in self.requests if r.method != "GET"]

    def answer(self, request: Request) -> tuple[int | str, Document]:
        """The status, or the kind of fault, and the document."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            self.requests.append(request)
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
            self._tokens[token] = self._tokens.get(token, 0) - 1
            if self._tokens[token] < 0:
                # the status is that of resource/resource_manager.go IsAuthorized; the words name the token,
                # so that a test sees whether the client quotes it
                raise Refusal(401, f"Request unauthenticated: {token or 'no token'} is expired or unknown")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    fake: FakeKfp

    def log_message(self, *arguments: Any) -> None:
        """Be silent."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key.lower(): value for key, value in self.headers.items()}
        path, query = url.path.removeprefix(PREFIX), dict(parse_qsl(url.query, keep_blank_values=True))
        fault, document = self.fake.answer(Request(self.command, path, query, headers, body))
        content, kind = json.dumps(document).encode(), "application/json"
        if fault in ("html", 302):
            content, kind = HTML, "text/html"
        if fault == "slow":
            self.fake.closing.wait(LONG_S)
        if fault not in ("reset", "lost", "slow"):
            self.send_response(fault if isinstance(fault, int) else 200)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "/dex/auth")  # heeded with status 302 alone
            cut = {"truncated": len(content) // 2, "garbage": len(content) - 1}.get(str(fault), len(content))
            self.send_header("Content-Length", str(len(content) if fault == "truncated" else cut))
            self.end_headers()
            self.wfile.write(content[:cut])
        if fault in ("reset", "lost", "slow", "truncated"):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True

    do_POST = do_DELETE = do_GET
