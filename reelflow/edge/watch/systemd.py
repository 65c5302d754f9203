"""Tells systemd what a service does: sd_notify(3), by the socket that `NOTIFY_SOCKET` names."""

import os
import socket
import time
from contextlib import suppress


class ServiceManager:
    """Says ready, alive and stopping; says nothing where no service manager listens."""

    def __init__(self) -> None:
        """Read the environment: `NOTIFY_SOCKET`, `WATCHDOG_USEC`."""
        self._address = os.environ.get("NOTIFY_SOCKET", "").replace("@", "\0", 1)
        self._every_s = int(os.environ.get("WATCHDOG_USEC") or 0) / 1e6 / 3
        self._alive_s = 0.0

    def ready(self) -> None:
        """The service has started."""
        self._tell("READY=1")

    def alive(self) -> None:
        """It works: to be called more often than the watchdog asks."""
        now_s = time.monotonic()
        if self._every_s and now_s - self._alive_s >= self._every_s:
            self._alive_s = now_s
            self._tell("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line that `systemctl status` shows."""
        self._tell(f"STATUS={text.splitlines()[0] if text else ''}")

    def stopping(self) -> None:
        """It ends."""
        self._tell("STOPPING=1")

    def _tell(self, text: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.sendto(text.encode(), self._address)
