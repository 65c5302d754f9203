"""A POST a message, to one address.

Neither a proxy of the environment is used nor a redirect followed: the message goes where the address says.
Of the answers, 2xx is a success; 408, 425, 429 and 5xx may pass; any other is a refusal (RFC 9110, 6585 and
8470 say which may be repeated).
"""

import hashlib
import http.client
import json
import os
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from urllib.parse import quote, urljoin

from reelflow import __version__
from reelflow.edge.sinks.address import Address, without_secrets
from reelflow.edge.sinks.delivery import RefusedError, UndeliveredError

TIMEOUT_S, WHOLE_S = 10.0, 30.0
MAY_PASS = (408, 425, 429)
PATH_CHARACTERS = "/%:@!$&'()*+,;=~-._?"
ADVICE = {
    401: "check user and password in the address",
    403: "check user and password in the address, and what they may do",
    404: "check the path of the address",
    410: "check the path of the address",
}


class Webhook:
    """Posts messages as JSON. A certificate that is not valid for the host is a failure."""

    def __init__(self, address: Address, *, timeout_s: float = TIMEOUT_S, whole_s: float = WHOLE_S) -> None:
        """Name the receiver.

        Args:
            address: of the receiver.
            timeout_s: without a byte, and for a connection.
            whole_s: for a message and its answer.
        """
        self._address, self._timeout_s, self._whole_s = address, timeout_s, whole_s
        self._target = quote(address.path or "/", safe=PATH_CHARACTERS)
        if address.query:
            self._target += "?" + quote(address.query, safe=PATH_CHARACTERS)
        self._context = ssl.create_default_context() if address.scheme == "https" else None

    def deliver(self, body: str) -> None:
        """Post a message.

        Raises:
            RefusedError: an answer that a repetition does not change.
            UndeliveredError: no answer, or one that may pass.
        """
        shown = self._address.shown
        try:
            status, location = self._post(body)
        except (OSError, http.client.HTTPException) as error:
            raise UndeliveredError(f"{shown}: {_reason(error)}") from None
        if 200 <= status < 300:
            return
        if status in MAY_PASS or status >= 500 or status < 200:
            raise UndeliveredError(f"{shown} answered {status}")
        advice = f": {ADVICE[status]}" if status in ADVICE else ""
        if location:
            where = without_secrets(_absolute(location, shown))
            advice = f" with a redirect to {where}: redirects are not followed, name that address"
        raise RefusedError(f"{shown} refused the message: {status}{advice}")

    def _post(self, body: str) -> tuple[int, str]:
        """Status, and where a redirect leads."""
        connection = self._connection()
        try:
            connection.connect()
            with _within(self._whole_s, connection):
                connection.request("POST", self._target, body.encode(), self._headers(body))
                answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", "") if 300 <= answer.status < 400 else ""
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        address = self._address
        if self._context:
            return http.client.HTTPSConnection(
                address.host, address.port, timeout=self._timeout_s, context=self._context
            )
        return http.client.HTTPConnection(address.host, address.port, timeout=self._timeout_s)

    def _headers(self, body: str) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"reelflow/{__version__}",
            "Idempotency-Key": f'"{idempotency_key(body)}"',
            "Connection": "close",
        }
        if self._address.user is not None or self._address.password is not None:
            pair = f"{self._address.user or ''}:{self._address.password or ''}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers


@contextmanager
def _within(seconds: float, connection: http.client.HTTPConnection) -> Iterator[None]:
    """Bound all of an exchange: a timeout of a socket begins anew with each byte that drips.

    Raises:
        TimeoutError: it took longer.
    """
    ended = Event()
    # a number of its own: TLS would be confused by another thread that ends it
    with socket.socket(fileno=os.dup(connection.sock.fileno())) as line:

        def end() -> None:
            ended.set()
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

        timer = Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException):
            if not ended.is_set():
                raise
        finally:
            timer.cancel()
        if ended.is_set():
            raise TimeoutError


def idempotency_key(body: str) -> str:
    """What is the same for each attempt at a message, and for no other one.

    The header is a quoted string (draft-ietf-httpapi-idempotency-key-header-07). An event has several
    updates: id and phase do not tell them apart, so a hash of the content follows.
    """
    message = json.loads(body)
    names = [str(message[name]) for name in ("id", "phase") if name in message] or [str(message["kind"])]
    content = hashlib.sha256(body.encode()).hexdigest()[:16]
    return "-".join([*(quote(name, safe="") for name in names), content])


def _absolute(location: str, address: str) -> str:
    """Where a redirect leads; a path alone may be a secret too."""
    try:
        return urljoin(address, location)
    except ValueError:  # it is no address
        return f"{address}/"


def _reason(error: OSError | http.client.HTTPException) -> str:
    """Why there was no answer; texts of the system and of ssl hold no credentials."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and not isinstance(error, http.client.HTTPException):
        return error.strerror or str(error) or type(error).__name__
    return f"no valid answer ({type(error).__name__})"
