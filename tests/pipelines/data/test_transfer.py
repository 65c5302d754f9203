"""Shards from store to store: folders, memory, and S3 on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.data.catalog import read_catalog
from pipelines.data.transfer import TransferResult, transfer
from reelflow.errors import StorageError
from reelflow.files import sha256_text
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.open import open_store
from reelflow.progress import watched_by
from reelflow.settings import Settings
from tests.s3_server import ACCESS_KEY, SECRET_KEY, rclone_s3
from tests.shard_stores import MemoryStore, fetch, publish, put_shard

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
SHARDS = {str(number): {"tar": f"frames {number}", "json": f"index {number}"} for number in range(6)}
BYTES = sum(len(content) for files in SHARDS.values() for content in files.values())


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with rclone_s3(tmp_path_factory.mktemp("s3") / "data", "bucket") as address:
        yield address


@pytest.fixture(params=["directory", "s3"])
def remote(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    if request.param == "directory":
        return DirectoryStore(tmp_path / "remote")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    endpoint = request.getfixturevalue("endpoint")
    return open_store(Settings(store=f"s3://bucket/{tmp_path.name}", s3_endpoint=endpoint))


def filled(store: MemoryStore | DirectoryStore):
    for key, contents in SHARDS.items():
        publish(store, key, contents)
    return store


def test_shards_go_there_and_back(remote, tmp_path):
    here, elsewhere = filled(DirectoryStore(tmp_path / "here")), DirectoryStore(tmp_path / "elsewhere")
    assert transfer(here, remote, tmp_path, 4) == TransferResult(
        copied=6, present=0, torn=0, size_bytes=BYTES
    )
    assert transfer(here, remote, tmp_path, 4) == TransferResult(copied=0, present=6, torn=0, size_bytes=0)
    assert transfer(remote, elsewhere, tmp_path, 4).copied == 6
    assert fetch(elsewhere, "3", tmp_path / "step", ["tar", "json"])
    assert (tmp_path / "step" / "tar").read_text() == "frames 3"
    assert not list(tmp_path.glob(".transfer-*"))


def test_only_what_is_missing_travels(remote, tmp_path):
    here = filled(DirectoryStore(tmp_path / "here"))
    publish(remote, "0", SHARDS["0"])
    publish(remote, "1", {"tar": "other bytes of the same key", "json": "index 1"})
    found = transfer(here, remote, tmp_path, 2)
    assert (found.copied, found.present) == (4, 2)


@pytest.mark.parametrize("patience", range(0, 18, 2))
def test_a_transfer_that_was_cut_off_goes_on_with_what_is_missing(tmp_path, patience):
    here, there = filled(MemoryStore()), MemoryStore(patience)
    with pytest.raises(StorageError, match="killed"):
        transfer(here, there, tmp_path, 1)
    there.patience = 10**9
    catalog = read_catalog(there)
    assert all(map(catalog.is_whole, catalog.shards.values())), "a listing came before its files"
    arrived = sum(stored.size_bytes for name, stored in catalog.objects.items() if "/files/" in name)
    found = transfer(here, there, tmp_path, 1)
    assert found.copied + found.present == 6
    assert found.size_bytes == BYTES - arrived
    assert there.objects == here.objects


def test_a_shard_that_is_torn_over_there_is_made_whole(tmp_path):
    here, there = filled(MemoryStore()), filled(MemoryStore())
    cut, gone = (f"frames/files/{sha256_text(text)}" for text in ("frames 2", "frames 4"))
    there.put(cut, "fra")
    del there.objects[gone]
    assert transfer(here, there, tmp_path, 2).copied == 2
    assert there.objects == here.objects


def test_a_shard_that_lacks_a_file_is_left_alone(tmp_path):
    here, there = filled(MemoryStore()), MemoryStore()
    del here.objects[f"frames/files/{sha256_text('index 5')}"]
    found = transfer(here, there, tmp_path, 2)
    assert (found.copied, found.torn) == (5, 1)


def test_an_altered_file_never_travels(tmp_path):
    here, there = filled(MemoryStore()), MemoryStore()
    altered = f"frames/files/{sha256_text('frames 2')}"
    here.put(altered, "FRAMES 2")
    with pytest.raises(StorageError, match="was altered there"):
        transfer(here, there, tmp_path, 1)
    assert altered not in there.objects


def test_progress_is_in_megabytes_and_ends_at_the_total(tmp_path):
    here, events = MemoryStore(), []
    for number in range(4):
        put_shard(here, str(number), {"tar": str(number) * 250_000})
    with watched_by(events.append):
        transfer(here, MemoryStore(), tmp_path, 2)
    assert [(one["done"], one["total"], one["unit"]) for one in events][-1] == (1.0, 1.0, "MB")
