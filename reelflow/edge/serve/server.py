"""The web server beside the watcher: it begins and ends with it, and neither lives on without the other."""

import ipaddress
import os
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from uvicorn import Config, Server

from reelflow.commandline import printable
from reelflow.edge.camera.wire import Told
from reelflow.edge.events.model import Message
from reelflow.edge.serve.access import ADVICE, Token, read_token
from reelflow.edge.serve.app import THIS_MACHINE, make_app
from reelflow.edge.serve.board import Board
from reelflow.edge.serve.clips import ClipDesk
from reelflow.edge.serve.connections import BoundedProtocol
from reelflow.edge.watch.service import say
from reelflow.edge.watch.watcher import Watcher, WatchOptions
from reelflow.errors import ParamsError, ReelflowError

ENDING_S = 1
LARGEST_HEADERS = 16_384


class PageServer:
    """A sink that shows what it is sent to browsers, in a thread of its own."""

    name, problem = "page", ""
    failures = lost = 0

    def __init__(self, host: str, port: int, token: str | None) -> None:
        """Take the port; nothing is answered yet.

        Args:
            host: to listen on.
            port: to listen on; 0 for a free one.
            token: `env:NAME` or `file:PATH`; needed if another machine could ask.

        Raises:
            ParamsError: the port is taken, the host is none of this machine, or a token is needed.
        """
        secret = read_token(token) if token else None
        self._socket = _listening(host, port, alone=secret is None)
        found = self._socket.getsockname()
        self._token = Token(secret, found[1]) if secret else None
        self._host = f"[{found[0]}]" if ":" in found[0] else found[0]
        self.address = f"http://{self._host}:{found[1]}/"
        self._thread: Thread | None = None
        self._closing = False
        self._died = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the port back.

        Raises:
            ReelflowError: the server has ended before the watcher.
        """
        self._socket.close()
        if self._died and error is None:
            raise ReelflowError(f"the page's web server has ended ({self._died}): start the service again")

    def start(self, camera: str, bundle: Path, watcher: Watcher, options: WatchOptions) -> None:
        """Begin to answer."""
        self._board = Board(
            camera,
            hop_s=options.hop_s,
            timeout_s=options.timeout_s,
            interval_s=lambda: watcher.interval_s,
        )
        self._desk = ClipDesk(bundle)
        hosts = (*THIS_MACHINE, self._host)
        app = make_app(self._board, watcher.stages, self._desk, self._token, hosts, say)
        self._server = Server(_config(app))
        self._thread = Thread(target=self._serve, args=(watcher.stop,), name="reelflow-page", daemon=True)
        self._thread.start()
        say(f"the page of {camera} is at {self.address}")

    def show(self, told: Told) -> None:
        """Take a picture."""
        self._board.show(told)

    def send(self, message: Message) -> None:
        """Take a message."""
        self._board.send(message)

    def close(self, timeout_s: float) -> None:
        """End."""
        self._closing = True
        if self._thread:
            self._desk.close()
            self._server.should_exit = True
            self._thread.join(timeout_s)

    def _serve(self, stop: Callable[[], None]) -> None:
        try:
            self._server.run(sockets=[self._socket])
        except BaseException as error:  # the watcher must not go on alone, whatever it was
            self._died = repr(error)
        finally:
            if not self._closing:
                self._died = self._died or "without an error"
                stop()


def _config(app: Starlette) -> Config:
    """HTTP/1.1 in bounds; the application tells what fails, so that nothing is logged."""
    return Config(
        app,
        http=BoundedProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEADERS,
        timeout_graceful_shutdown=ENDING_S,
    )


def _listening(host: str, port: int, *, alone: bool) -> socket.socket:
    """A socket that listens.

    Args:
        host: a name or an address of this machine.
        port: 0 for a free one.
        alone: no other machine may reach it.

    Raises:
        ParamsError: it cannot, or another machine could reach it.
    """
    shown = printable(host)
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        if alone and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
            raise ParamsError(f"--host {shown} lets other machines connect: add --token; {ADVICE}")
        return socket.create_server(address, family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        raise ParamsError(
            f"--host {shown} --port {port} cannot be listened on ({_reason(error)}): name another port, or "
            "an address of this machine"
        ) from error


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror) or not isinstance(error, OSError):
        return str(error.args[-1])
    return os.strerror(error.errno or 0)  # without the address, which Python appends
