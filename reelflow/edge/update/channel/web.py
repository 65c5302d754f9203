"""One HTTP answer by urllib3, whose every connection is watched: `reelflow[update]`."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from reelflow import __version__
from reelflow.edge.update.channel.answers import CHUNK_BYTES, AnsweredError, BrokenError, Limits
from reelflow.edge.update.channel.watch import RateWatch

BEGIN = re.compile(r"bytes ([0-9]{1,18})-")  # Python refuses to read a number of thousands of digits


@contextmanager
def opened(
    url: str, start: int, watch: RateWatch, limits: Limits, user: tuple[str, str] | None
) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Ask for an address from byte `start` on; gives where the answer begins, and its chunks.

    Raises:
        AnsweredError: a status of 4xx.
        BrokenError: no answer, 5xx, a redirect in a circle; or the answer breaks off.
    """
    with _manager(url, watch) as manager, _broken(watch):
        answer = manager.request(
            "GET",
            url,
            headers=_headers(start, user),
            preload_content=False,
            decode_content=False,
            timeout=limits.timeout_s,
            retries=urllib3.Retry(
                total=None, connect=0, read=0, status=0, other=0, redirect=limits.redirects
            ),
        )
        try:
            yield _begin(answer, start), _chunks(answer, watch)
        finally:
            answer.close()


@contextmanager
def _broken(watch: RateWatch) -> Iterator[None]:
    """What urllib3 and sockets raise, which also an ended connection does."""
    try:
        yield
    except HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise BrokenError(f"too slow: {watch.told}" if watch.ended else _told(reason)) from None


def _told(reason: object) -> str:
    """The reason without the object that urllib3 puts in front of it."""
    return re.sub(r"^.*(?:object at 0x[0-9a-f]+>|host='[^']*', port=\d+\)): ", "", str(reason))


def _headers(start: int, user: tuple[str, str] | None) -> dict[str, str]:
    headers = {
        "User-Agent": f"reelflow/{__version__}",
        "Accept-Encoding": "identity",
        "Cache-Control": "no-cache",
    }
    if start:
        headers["Range"] = f"bytes={start}-"
    return headers | (urllib3.make_headers(basic_auth=":".join(user)) if user else {})


def _begin(answer: urllib3.BaseHTTPResponse, start: int) -> int:
    """Where the content of an answer begins; 0 if the server sends it whole."""
    status = answer.status
    if status == HTTPStatus.PARTIAL_CONTENT:
        found = BEGIN.match(answer.headers.get("Content-Range", ""))
        if not found or int(found[1]) != start:
            raise BrokenError("the server sends another part than the requested one")
        return start
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise BrokenError(f"the server answers {status}")
    if status >= HTTPStatus.BAD_REQUEST:
        raise AnsweredError(status)
    if status != HTTPStatus.OK:
        raise BrokenError(f"the server answers {status}, expected 200")
    return 0


def _chunks(answer: urllib3.BaseHTTPResponse, watch: RateWatch) -> Iterator[bytes]:
    with _broken(watch):
        while chunk := answer.read1(CHUNK_BYTES):  # as soon as bytes have come
            yield chunk


def _manager(url: str, watch: RateWatch) -> urllib3.PoolManager:
    """A client for one request, through the proxy of the environment if there is one."""
    parts = urlsplit(url)
    proxy = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    manager = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    manager.pool_classes_by_scheme = {
        "http": _pool(HTTPConnectionPool, HTTPConnection, watch),
        "https": _pool(HTTPSConnectionPool, HTTPSConnection, watch),
    }
    return manager


def _pool(
    pool: type[HTTPConnectionPool], connection: type[HTTPConnection], watch: RateWatch
) -> type[HTTPConnectionPool]:
    """A pool whose connections are watched from their first byte, that of a TLS handshake included."""

    def new_connection(self: Any) -> socket.socket:
        opened: socket.socket = connection._new_conn(self)
        watch.watch(opened)
        return opened

    def answered(self: Any, *given: Any, **named: Any) -> urllib3.BaseHTTPResponse:
        answer: urllib3.BaseHTTPResponse = pool.urlopen(self, *given, **named)
        try:
            urlsplit(answer.get_redirect_location() or "")
        except ValueError:  # urllib3 would pass it on, and leave the connection open
            answer.close()
            raise BrokenError("the server redirects to an invalid address") from None
        return answer

    watched = type("WatchedConnection", (connection,), {"_new_conn": new_connection})
    return type("WatchedPool", (pool,), {"ConnectionCls": watched, "urlopen": answered})
