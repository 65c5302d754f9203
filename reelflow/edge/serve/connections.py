"""Connections of the web server, in bounds.

uvicorn waits for ever for a request that does not come, or comes a byte at a time (Kludex/uvicorn#157,
#1192), and accepts any number of connections, whose descriptors the camera and the sinks need.
"""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 64
WITHOUT_REQUEST_S = 90.0


class BoundedProtocol(H11Protocol):
    """A connection that is one of `MOST`, and that is cut when no further request begins for too long."""

    _timer: TimerHandle | None = None
    _seen: object = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection, if there is room."""
        if len(self.connections) >= MOST:
            transport.abort()
            return
        super().connection_made(transport)
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        if self._timer:
            self._timer.cancel()
            super().connection_lost(exc)

    def _look_later(self) -> None:
        self._seen = self.cycle
        self._timer = self.loop.call_later(WITHOUT_REQUEST_S, self._look)

    def _look(self) -> None:
        """A new request has a new cycle."""
        if self.cycle is self._seen:
            self.transport.abort()
        else:
            self._look_later()
