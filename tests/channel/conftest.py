"""A channel, its web server and a device that has the first bundle."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.open import store_at
from reelflow.settings import Settings
from tests.bundles import renamed_bundle, write_small_bundle
from tests.channel.file_server import FileServer, serving
from tests.channel.fleet import Device, Publisher
from tests.s3_server import BUCKET, SERVERS
from tests.sharing import made_once


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole, sealed bundle."""
    return made_once(tmp_path_factory, "small-bundle", write_small_bundle)


@pytest.fixture(scope="session")
def second(tmp_path_factory: pytest.TempPathFactory, first: Path) -> Path:
    """Another one, which shares all files with the first but two."""
    return made_once(tmp_path_factory, "second-bundle", partial(_renamed, first))


def _renamed(first: Path, folder: Path) -> None:
    renamed_bundle(first, folder, "thumbnail-second")


@pytest.fixture(params=["directory", *SERVERS])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path, s3_servers, s3_credentials) -> ObjectStore:
    """A store of each kind."""
    if request.param == "directory":
        return DirectoryStore(tmp_path / "channel")
    endpoint = s3_servers(request.param)
    return store_at(f"s3://{BUCKET}/{tmp_path.name}", Settings(s3_endpoint=endpoint))


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    return Publisher(tmp_path, monkeypatch)


@pytest.fixture
def server(publisher: Publisher) -> Iterator[FileServer]:
    with serving(publisher.folder) as running:
        yield running


@pytest.fixture
def device(tmp_path: Path, publisher: Publisher, server: FileServer, first: Path) -> Device:
    """A device that runs the first bundle."""
    publisher.publish(first)
    made = Device(tmp_path / "device", publisher.root, server.address)
    assert made.update() is not None
    server.requests.clear()
    return made
