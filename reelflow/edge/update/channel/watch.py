"""Ends an attempt that is too slow, whatever drips: headers, a TLS handshake or a body.

A timeout of a socket begins anew with each byte. A server that sends one byte every few seconds would
otherwise hold a device for years ("slow retrieval attack", The Update Framework specification, 1.5.2).
"""

import socket
import time
from contextlib import suppress
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self


class RateWatch:
    """Counts the bytes of one attempt; shuts its connections down when they are fewer than asked for."""

    def __init__(self, grace_s: float, least_bytes_per_s: float) -> None:
        self._grace_s, self._least = grace_s, least_bytes_per_s
        self._begun, self._received = time.monotonic(), 0
        self._sockets: list[socket.socket] = []
        self._lock, self._over = Lock(), Event()
        self._thread = Thread(target=self._run, name="rate of a download", daemon=True)
        self.ended = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def watch(self, connection: socket.socket) -> None:
        """End this connection too; TLS takes the socket's number away, so that a duplicate is kept."""
        with self._lock:
            self._sockets.append(connection.dup())

    def count(self, size_bytes: int) -> None:
        """Bytes have come."""
        self._received += size_bytes

    @property
    def told(self) -> str:
        """How much came in what time."""
        return f"only {self._received} bytes came in {time.monotonic() - self._begun:.0f} s"

    def _is_slow(self) -> bool:
        late_s = time.monotonic() - self._begun - self._grace_s
        return late_s > 0 and self._received < late_s * self._least

    def _run(self) -> None:
        while not self._over.wait(min(1.0, self._grace_s / 4)):
            if self._is_slow():
                self.ended = True
                with self._lock:
                    for one in self._sockets:
                        with suppress(OSError):
                            one.shutdown(socket.SHUT_RDWR)
