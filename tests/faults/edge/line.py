"""A bad line to a camera: a TCP proxy that passes bytes on as they are, until it is told to spoil them."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

TURN_S = 0.05
WHOLE_BYTES = 65_536


class Line:
    """Stands in front of a server on this machine.

    Attributes:
        port: where clients connect.
        connections: so far.
        spoiled: bytes that were flipped, so far.
        rate: bytes a second from the server; 0 for all that comes.
        flips: a byte in so many is flipped; 0 for none.
    """

    def __init__(self, server_port: int, rate: float = 0) -> None:
        self.connections = self.spoiled = self.flips = 0
        self.rate, self._healthy, self._server_port = rate, rate, server_port
        self._stop, self._flows = Event(), Event()
        self._open, self._threads = set[socket.socket](), list[Thread]()
        self._flows.set()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._start(self._accept)

    def stall(self) -> None:
        """Hold every connection, and pass nothing on."""
        self._flows.clear()

    def drip(self) -> None:
        """A byte a turn."""
        self.rate = 1 / TURN_S

    def slow(self, share: float) -> None:
        """Less than what the camera sends."""
        self.rate = share * self._healthy

    def corrupt(self, one_in: int) -> None:
        self.flips = one_in

    def cut(self) -> None:
        """End every connection."""
        for one in list(self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Pass on as before."""
        self.rate, self.flips = self._healthy, 0
        self._flows.set()

    def close(self) -> None:
        """End all, and wait for it."""
        self._stop.set()
        self.mend()
        self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            self.cut()
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError), self._listening:
            while True:
                client, _ = self._listening.accept()
                self.connections += 1
                self._start(self._connect, client)

    def _start(self, work: Callable[..., None], *arguments: socket.socket) -> Thread:
        self._threads.append(Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()
        return self._threads[-1]

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server_port)) as server:
            self._open |= {client, server}
            asking = self._start(self._ask, client, server)
            self._answer(server, client)
            asking.join()
            self._open -= {client, server}

    def _ask(self, client: socket.socket, server: socket.socket) -> None:
        """What the client says goes on as it is."""
        with _ended(client, server):
            while found := client.recv(WHOLE_BYTES):
                server.sendall(found)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        """What the camera sends is spoiled."""
        passed = 0
        with _ended(client, server):
            while found := server.recv(max(1, int(self.rate * TURN_S)) if self.rate else WHOLE_BYTES):
                self._flows.wait()
                client.sendall(self._flipped(found, passed))
                passed += len(found)
                if self.rate and self._stop.wait(TURN_S):
                    break

    def _flipped(self, found: bytes, passed: int) -> bytes:
        if not self.flips:
            return found
        places = range(-passed % self.flips, len(found), self.flips)
        self.spoiled += len(places)
        changed = bytearray(found)
        for place in places:
            changed[place] ^= 0x55
        return bytes(changed)


@contextmanager
def _ended(*both: socket.socket) -> Iterator[None]:
    """In the end, of one direction too, both sides are told."""
    with suppress(OSError):
        yield
    for one in both:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(server_port: int, rate: float = 0) -> Iterator[Line]:
    """A line to a server of this port."""
    line = Line(server_port, rate)
    try:
        yield line
    finally:
        line.close()
