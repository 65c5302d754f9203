"""Answers of an S3 server that come byte by byte, for ever, end as those that do not come at all."""

import io
import time
from http.client import HTTPResponse
from socket import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Buffer

SLOWEST_BYTES_PER_S = 1000


class Gauge(io.RawIOBase):
    """What comes from a socket, as long as it comes fast enough; only the time of waiting for it counts."""

    def __init__(self, source: io.RawIOBase, window_s: float) -> None:
        self._source = source
        self._window_s = window_s
        self._waited_s, self._came_bytes = 0.0, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: "Buffer") -> int | None:
        """Read what is there.

        Raises:
            TimeoutError: nothing comes, or too little.
        """
        begun = time.monotonic()
        size_bytes = self._source.readinto(buffer)
        self._waited_s += time.monotonic() - begun
        self._came_bytes += size_bytes or 0
        if self._waited_s > self._window_s:
            if self._came_bytes < self._waited_s * SLOWEST_BYTES_PER_S:
                raise TimeoutError
            self._waited_s, self._came_bytes = 0.0, 0
        return size_bytes

    def close(self) -> None:
        """Close the source, too."""
        self._source.close()
        super().close()


class GaugedResponse(HTTPResponse):
    """An answer of which status, headers and body must come fast enough."""

    def __init__(self, sock: socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        if window_s := sock.gettimeout():
            self.fp = io.BufferedReader(Gauge(self.fp.detach(), window_s))


def gauge_answers(client: Any) -> None:
    """Gauge what a boto3 client reads; botocore offers no public place for it."""
    pools = client._endpoint.http_session._pool_classes_by_scheme
    for scheme, pool in pools.items():
        connection = type("GaugedConnection", (pool.ConnectionCls,), {"response_class": GaugedResponse})
        pools[scheme] = type("GaugedPool", (pool,), {"ConnectionCls": connection})
