"""A TLS server before MLflow that lets only requests with the right header pass, as a team's proxy does."""

import base64
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.store.proxy import Answer, Exchange, faulty_proxy

BASIC = "Basic " + base64.b64encode(b"ann:s3cret").decode()
FORBIDDEN = Answer(401, [("Content-Type", "text/plain"), ("WWW-Authenticate", "Basic")], b"who are you?")


@dataclass(frozen=True)
class Gate:
    """An open gate.

    Attributes:
        endpoint: its address.
        passed: paths of requests that it has let through.
        refused: paths of the others.
    """

    endpoint: str
    passed: list[str]
    refused: list[str]


@contextmanager
def gate_before(
    behind: str, certificate: Path, key: Path, demanded: Mapping[str, str], *, asks_for_certificate: bool
) -> Iterator[Gate]:
    """A gate in front of a server.

    Args:
        behind: address of the server.
        certificate: of the gate, and the only one of clients that it knows.
        key: of the certificate.
        demanded: headers of each request.
        asks_for_certificate: whether clients must have one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate)
    with faulty_proxy(behind, lambda *_: "request") as proxy:
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        found = Gate(f"https://localhost:{proxy.server_port}", [], [])

        def check(exchange: Exchange) -> None:
            may = all(exchange.headers.get(name) == value for name, value in demanded.items())
            (found.passed if may else found.refused).append(exchange.path)
            exchange.give(exchange.forward() if may else FORBIDDEN)

        proxy.spoil("request", check)
        yield found
