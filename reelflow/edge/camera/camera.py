"""A source that is read for months: it is opened again whenever it is lost, and never waited for too long."""

import subprocess
import sys
import time
from contextlib import suppress
from threading import Event, Lock, Thread, Timer

from reelflow.edge.camera.address import CameraSource
from reelflow.edge.camera.backoff import Backoff
from reelflow.edge.camera.mailbox import Mailbox
from reelflow.edge.camera.wire import Header, Order, Told, read_told, write_order
from reelflow.edge.recording.orders import ClipEndOrder, ClipOrder, RingOrder

WAITING_PICTURES, WAITING_BYTES = 8, 64_000_000
CHECK_S = 0.2
GRACE_S = 10.0  # to finish clips
COMMAND = (sys.executable, "-m", "reelflow.edge.camera.reading")


class Camera:
    """Gives the messages of the reading process, over all connections.

    Attributes:
        reconnects: connections that were made anew.
    """

    def __init__(
        self, source: CameraSource, interval_s: float, timeout_s: float, ring: RingOrder | None = None
    ) -> None:
        """Begin to read.

        Args:
            source: what to read.
            interval_s: between two looks.
            timeout_s: silence after which the reading process is ended, opening included.
            ring: what it holds for clips; None if none are asked for.
        """
        self.reconnects = 0
        self._source, self._timeout_s = source, timeout_s
        self._order = Order(address=source.address, interval_s=interval_s, ring=ring)
        self._ordering = Lock()
        self._mail = Mailbox(WAITING_PICTURES, WAITING_BYTES, drops=source.is_live)
        self._closing = Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._awaited_since_s: float | None = None
        self._killed = False
        self._threads = [Thread(target=self._read_on, daemon=True), Thread(target=self._guard, daemon=True)]
        for thread in self._threads:
            thread.start()

    @property
    def dropped(self) -> int:
        """Pictures of a live source that came too fast."""
        return self._mail.dropped

    def next(self, timeout_s: float) -> Told | None:
        """The next message; None if there was no message in this time."""
        return self._mail.take(timeout_s)

    def keep(self, order: ClipOrder | ClipEndOrder) -> None:
        """Ask for a clip; a process that has died keeps none."""
        self._write(order)

    def close(self) -> None:
        """End the reading process; what it tells of its clips at last can still be taken."""
        self._closing.set()
        self._mail.close()
        for thread in self._threads:
            while thread.is_alive():
                self._leave()
                thread.join(CHECK_S)

    def _read_on(self) -> None:
        backoff = Backoff()
        while not self._closing.is_set():
            connected_s = self._read_once()
            if not self._source.is_live or self._closing.wait(backoff.after(connected_s)):
                return
            self.reconnects += 1

    def _read_once(self) -> float:
        """One connection, to its end; returns how long it held, in seconds."""
        self._killed, opened_s, ended = False, None, False
        self._process = subprocess.Popen(
            COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        with self._process as process:
            self._write(self._order)
            while told := self._await(process):
                if told.header.kind == "opened":
                    opened_s = time.monotonic()
                goes_on = self._mail.put(told)
                if told.header.kind in ("ended", "failed"):
                    ended, goes_on = True, False
                    if not self._source.is_live:
                        self._closing.wait()  # clips of what has been read may still be asked for
                if not goes_on:
                    self._leave()
            self._leave()  # an order that a dead process did not take must not be written at the end
            if not ended:
                self._mail.put(Told(Header(kind="failed", reason=self._why(process)), None))
        return time.monotonic() - opened_s if opened_s else 0.0

    def _write(self, order: Order | ClipOrder | ClipEndOrder) -> None:
        with self._ordering, suppress(OSError, ValueError):  # it has died, or its input is closed
            if self._process and self._process.stdin:
                write_order(self._process.stdin, order)

    def _await(self, process: "subprocess.Popen[bytes]") -> Told | None:
        """The next message; None at the end. Only this waiting counts as silence."""
        assert process.stdout
        self._awaited_since_s = time.monotonic()
        try:
            return read_told(process.stdout)
        except ValueError:
            return None
        finally:
            self._awaited_since_s = None

    def _why(self, process: "subprocess.Popen[bytes]") -> str:
        code = process.wait()  # only then it holds no clip any more
        if self._killed:
            return f"{self._source.shown} has sent nothing for {self._timeout_s:g} s"
        return f"the process that reads {self._source.shown} has died ({code})"

    def _guard(self) -> None:
        while not self._closing.wait(CHECK_S):
            since_s = self._awaited_since_s
            if since_s is not None and time.monotonic() - since_s > self._timeout_s:
                self._killed = True
                self._leave()

    def _leave(self) -> None:
        """Let the process finish its clips and end, as it does with its input; kill it if it does not."""
        process = self._process
        if not process or not process.stdin or process.stdin.closed:
            return
        with self._ordering, suppress(OSError):
            process.stdin.close()
        force = Timer(GRACE_S, process.kill)
        force.daemon = True
        force.start()
