"""The web server itself: its port, its connections, and that it never ends alone."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import pytest

from reelflow.edge.serve import connections
from reelflow.edge.serve.server import PageServer
from reelflow.edge.watch.stages import StageClock
from reelflow.edge.watch.watcher import WatchOptions
from reelflow.errors import ParamsError, ReelflowError
from tests.reelflow.edge.serve.asgi_client import a_picture
from tests.sink_messages import source, wait_for

LONG_S = 20.0


class StoppableWatcher:
    """Stands in for a watcher."""

    interval_s = 0.1

    def __init__(self) -> None:
        self.stages, self.stopped = StageClock(), Event()

    def stop(self) -> None:
        self.stopped.set()


@contextmanager
def serving(watcher: StoppableWatcher | None = None) -> Iterator[PageServer]:
    with PageServer("127.0.0.1", 0, None) as page:
        page.start("porch", Path("no-bundle"), watcher or StoppableWatcher(), WatchOptions())
        try:
            yield page
        finally:
            page.close(LONG_S)
            assert not page._thread.is_alive()


def place_of(page: PageServer) -> tuple[str, int]:
    host, port = page.address.removeprefix("http://").strip("/").split(":")
    return host, int(port)


def get(page: PageServer, path: str) -> tuple[int, bytes]:
    with closing(HTTPConnection(*place_of(page), timeout=LONG_S)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_what_is_sent_is_shown():
    with serving() as page:
        page.send(source("connected"))
        page.show(a_picture(time.monotonic()))
        status, body = get(page, "/healthz")
        assert (status, json.loads(body)["camera"]) == (200, "porch")
        assert get(page, "/picture")[1].startswith(b"\xff\xd8")


def test_a_port_that_is_taken_is_told():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ParamsError, match=f"--port {port} cannot be listened on"):
            PageServer("127.0.0.1", port, None)


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1", "a" * 70 + ".x", "..", "\x1b[31m"])
def test_a_host_that_is_none_of_this_machine_is_told(host, monkeypatch):
    monkeypatch.setenv("PAGE_TOKEN", "0123456789abcdef")
    with pytest.raises(ParamsError, match="cannot be listened on") as refused:
        PageServer(host, 0, "env:PAGE_TOKEN")
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", ""])
def test_other_machines_need_a_token(host, monkeypatch):
    with pytest.raises(ParamsError, match="lets other machines connect: add --token"):
        PageServer(host, 0, None)
    monkeypatch.setenv("PAGE_TOKEN", "0123456789abcdef")
    with PageServer(host, 0, "env:PAGE_TOKEN"):
        pass


def test_the_watching_does_not_go_on_without_the_server():
    watcher = StoppableWatcher()

    def serve_until_the_server_ends() -> None:
        with serving(watcher) as page:
            page._server.should_exit = True
            assert watcher.stopped.wait(LONG_S)

    with pytest.raises(ReelflowError, match="web server has ended"):
        serve_until_the_server_ends()


def test_it_ends_while_clients_hold_their_connections():
    with ExitStack() as held, serving() as page:
        for request in (b"", b"GET / HTTP/1.1\r\n", b"GET /state HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            client = held.enter_context(socket.create_connection(place_of(page), LONG_S))
            client.sendall(request)
        assert client.recv(10) == b"HTTP/1.1 2"


def is_cut(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_connections_than_there_is_room_for_are_cut(monkeypatch):
    monkeypatch.setattr(connections, "MOST", 3)
    with ExitStack() as held, serving() as page:
        clients = [held.enter_context(socket.create_connection(place_of(page), LONG_S)) for _ in range(4)]
        assert is_cut(clients[3])
        clients[0].close()
        wait_for(lambda: len(page._server.server_state.connections) == 2)
        assert get(page, "/state")[0] == 200


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_a_connection_on_which_nothing_is_asked_is_cut(monkeypatch, begun):
    monkeypatch.setattr(connections, "WITHOUT_REQUEST_S", 0.2)
    with serving() as page, socket.create_connection(place_of(page), LONG_S) as client:
        client.sendall(begun)
        assert is_cut(client)


def test_a_connection_is_cut_only_if_nothing_was_asked_since_the_last_look():
    with serving() as page:
        connection = HTTPConnection(*place_of(page), timeout=LONG_S)

        def ask_and_look(looks: int) -> None:
            connection.request("GET", "/state")
            connection.getresponse().read()
            (protocol,) = page._server.server_state.connections
            for _ in range(looks):
                protocol.loop.call_soon_threadsafe(protocol._look)

        ask_and_look(1)
        client = connection.sock
        ask_and_look(2)
        assert connection.sock is client, "it was not cut after the first look"
        assert is_cut(client)
        connection.close()


def test_a_request_that_is_none_is_refused_in_silence(capfd):
    with serving() as page, socket.create_connection(place_of(page), LONG_S) as client:
        client.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")
    assert "Traceback" not in capfd.readouterr().err
