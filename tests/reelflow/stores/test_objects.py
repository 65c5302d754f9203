"""Both stores keep one contract: a directory, and S3 on a real server."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reelflow.errors import ParamsError, StorageError
from reelflow.files import sha256_text
from reelflow.settings import Settings
from reelflow.stores.objects import DirectoryStore, ObjectStore, Stored, open_store
from reelflow.stores.s3 import PART_BYTES
from tests.s3_server import ACCESS_KEY, SECRET_KEY, rclone_s3

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("s3") / "data"
    with rclone_s3(folder, "bucket") as endpoint:
        yield endpoint, folder / "bucket"


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path: Path, server: tuple[str, Path], credentials: None) -> ObjectStore:
    if request.param == "directory":
        return open_store(Settings(store=str(tmp_path / "store")))
    return open_store(Settings(store=f"s3://bucket/{tmp_path.name}", s3_endpoint=server[0]))


def file(tmp_path: Path, content: bytes, name: str = "file") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_what_is_stored_comes_back(store, tmp_path):
    store.put_new("features/a/shard-0.npy", file(tmp_path, b"codes"))
    assert store.get("features/a/shard-0.npy", tmp_path / "sub" / "back")
    assert (tmp_path / "sub" / "back").read_bytes() == b"codes"
    assert store.size_of("features/a/shard-0.npy") == 5


def test_what_is_not_stored_leaves_nothing(store, tmp_path):
    assert not store.get("nothing", tmp_path / "sub" / "back")
    assert not list((tmp_path / "sub").glob("*"))
    assert store.size_of("nothing") is None
    store.delete("nothing")


def test_the_first_copy_stays(store, tmp_path):
    store.put_new("a", file(tmp_path, b"first"))
    store.put_new("a", file(tmp_path, b"second", "other"))
    store.get("a", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == b"first"


def test_names_are_listed_by_prefix_and_gone_when_deleted(store, tmp_path):
    for name in ("b/2", "b/1", "c/1"):
        store.put_new(name, file(tmp_path, name.encode()))
    assert list(store.list("b/")) == [Stored("b/1", 3), Stored("b/2", 3)]
    store.delete("b/1")
    assert [one.name for one in store.list()] == ["b/2", "c/1"]
    assert not store.get("b/1", tmp_path / "back")


def test_large_files_travel_in_parts(store, tmp_path):
    content = os.urandom(PART_BYTES + 12345)
    store.put_new("large", file(tmp_path, content))
    store.get("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content


def test_an_empty_file_is_a_file(store, tmp_path):
    store.put_new("empty", file(tmp_path, b""))
    assert store.get("empty", tmp_path / "back")
    assert store.size_of("empty") == 0


def test_many_writers_of_one_object_end_with_one_good_copy(store, tmp_path):
    content = os.urandom(200_000)
    files = [file(tmp_path, content, f"writer-{number}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: store.put_new("shared", path), files))
    store.get("shared", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == content
    assert {one.name for one in store.list()} == {"shared"}  # rclone may list what is being written twice


@pytest.mark.parametrize("name", ["../a", "a/../b", "/a", "a//b", "", ".a", "a/.b", "a b", "a\n"])
def test_a_name_is_no_way_out(store, tmp_path, name):
    with pytest.raises(StorageError, match="no name of an object"):
        store.put_new(name, file(tmp_path, b"x"))
    with pytest.raises(StorageError, match="no name of an object"):
        store.get(name, tmp_path / "back")


def test_content_other_than_expected_is_never_given(store, tmp_path, monkeypatch):
    monkeypatch.setattr("reelflow.stores.s3.BACKOFF_S", 0.001)
    store.put_new("a", file(tmp_path, b"codes"))
    assert store.get("a", tmp_path / "good", sha256=sha256_text("codes"))
    if isinstance(store, DirectoryStore):
        assert not store.get("a", tmp_path / "bad", sha256=sha256_text("other"))
        assert store.size_of("a") is None
    else:
        with pytest.raises(StorageError, match="not what was stored"):
            store.get("a", tmp_path / "bad", sha256=sha256_text("other"))
    assert not (tmp_path / "bad").exists()


def test_what_a_killed_writer_left_is_no_object(tmp_path):
    store = DirectoryStore(tmp_path / "store")
    (tmp_path / "store").mkdir()
    file(tmp_path / "store", b"half", ".a.1-1.tmp")
    assert list(store.list()) == []


def test_wrong_credentials_say_so_and_show_no_secret(server, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    store = open_store(Settings(store="s3://bucket", s3_endpoint=server[0]))
    with pytest.raises(StorageError, match="the server answered") as raised:
        store.put_new("a", file(tmp_path, b"x"))
    assert "not-the-secret" not in str(raised.value)


def test_a_missing_bucket_is_named(server, credentials, tmp_path):
    store = open_store(Settings(store="s3://no-such-bucket", s3_endpoint=server[0]))
    with pytest.raises(StorageError, match="s3://no-such-bucket/"):
        store.put_new("a", file(tmp_path, b"x"))


def test_an_address_of_another_kind_is_refused():
    with pytest.raises(ParamsError, match="REELFLOW_STORE is 'gs://bucket'"):
        open_store(Settings(store="gs://bucket"))
