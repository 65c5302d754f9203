"""Downloads, against a server of our own."""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from reelflow.backbones.download import fetch
from reelflow.backbones.weight_file import WeightFile
from reelflow.errors import WeightsError
from reelflow.settings import Settings

CONTENT = np.random.default_rng(0).bytes(3_000_000)
PUBLISHED = WeightFile(
    name="net.bin",
    url="https://example.invalid/models/v1/net.bin",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size_bytes=len(CONTENT),
)


class Server(ThreadingHTTPServer):
    """Serves `content` at the published path; `cut` bytes of it before the connection breaks."""

    content = CONTENT
    cut: int | None = None
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/mirror"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.headers["Range"])
        if self.path != "/mirror/models/v1/net.bin":
            self.send_error(404)
            return
        start = 0
        if self.headers["Range"] and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", self.headers["Range"])[1])
        body = self.server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if self.server.cut is None else body[: self.server.cut])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("REELFLOW_WEIGHTS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_WEIGHTS_MIRROR", server.url)


def test_downloads_once(server: Server, cache: Path) -> None:
    assert fetch(PUBLISHED, Settings()) == cache / "net.bin"
    assert fetch(PUBLISHED, Settings()).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_damaged_copy_in_the_cache_is_replaced(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / "net.bin").write_bytes(b"damaged")
    assert fetch(PUBLISHED, Settings()).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_another_content_is_refused_and_not_kept(server: Server, cache: Path) -> None:
    server.content = CONTENT[:-1] + b"x"
    with pytest.raises(WeightsError, match=f"another file.*expected {PUBLISHED.sha256}"):
        fetch(PUBLISHED, Settings())
    assert not [path for path in cache.iterdir() if not path.name.endswith(".lock")]


def test_no_more_is_read_than_was_published(server: Server, cache: Path) -> None:
    server.content = CONTENT + bytes(50_000_000)
    with pytest.raises(WeightsError, match=f"{len(CONTENT) + 1} bytes"):
        fetch(PUBLISHED, Settings())


def test_a_download_that_breaks_off_goes_on_where_it_was(server: Server, cache: Path) -> None:
    server.cut = 1_000_000
    with pytest.raises(WeightsError, match="broke off after 1000000 of 3000000 bytes"):
        fetch(PUBLISHED, Settings())
    assert not (cache / "net.bin").exists()
    server.cut = None
    assert fetch(PUBLISHED, Settings()).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=1000000-"]


def test_a_server_that_cannot_go_on_starts_again(server: Server, cache: Path) -> None:
    server.ranges = False
    cache.mkdir()
    (cache / ".net.bin.partial").write_bytes(CONTENT[:1000])
    assert fetch(PUBLISHED, Settings()).read_bytes() == CONTENT


def test_a_partial_file_that_is_whole_needs_no_server(server: Server, cache: Path) -> None:
    cache.mkdir()
    (cache / ".net.bin.partial").write_bytes(CONTENT)
    assert fetch(PUBLISHED, Settings()).read_bytes() == CONTENT
    assert server.asked == []


def test_a_file_that_is_not_there_is_named(
    server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REELFLOW_WEIGHTS_MIRROR", server.url + "/nowhere")
    with pytest.raises(WeightsError, match=r"nowhere/models/v1/net\.bin: Not Found"):
        fetch(PUBLISHED, Settings())


def test_offline_names_the_url_and_where_to_put_the_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        monkeypatch.setenv("REELFLOW_WEIGHTS_MIRROR", url)
        with pytest.raises(WeightsError) as caught:
            fetch(PUBLISHED, Settings())
    assert f"{url}/models/v1/net.bin" in str(caught.value)
    assert str(cache / "net.bin") in str(caught.value)


def test_a_name_that_no_server_has_is_an_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELFLOW_WEIGHTS_MIRROR")
    with pytest.raises(WeightsError, match=r"https://example\.invalid/models/v1/net\.bin"):
        fetch(PUBLISHED, Settings())


def test_a_mirror_must_be_on_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REELFLOW_WEIGHTS_MIRROR", "file:///etc")
    with pytest.raises(WeightsError, match="http or https"):
        fetch(PUBLISHED, Settings())
