"""Both stores keep one contract: a directory, and S3 on a real server."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reelflow.errors import ParamsError, StorageError
from reelflow.files import sha256_text
from reelflow.objectstore.client import POLICY, TransferPolicy
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore, Stored
from reelflow.objectstore.open import open_store
from reelflow.objectstore.s3 import S3Store
from reelflow.settings import Settings
from tests.s3_server import ACCESS_KEY, BUCKET, SERVERS

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")


@pytest.fixture(params=["directory", *SERVERS])
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    s3_servers: Callable[[str], str],
    s3_credentials: None,
) -> ObjectStore:
    if request.param == "directory":
        return open_store(Settings(store=str(tmp_path / "store")))
    endpoint = s3_servers(request.param)
    return open_store(Settings(store=f"s3://{BUCKET}/{tmp_path.name}", s3_endpoint=endpoint))


@pytest.fixture(params=SERVERS)
def endpoint(request: pytest.FixtureRequest, s3_servers: Callable[[str], str], s3_credentials: None) -> str:
    return s3_servers(request.param)


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


def test_a_replaced_object_has_the_new_content(store, tmp_path):
    store.replace("a", file(tmp_path, b"first"))
    store.replace("a", file(tmp_path, b"second", "other"))
    assert store.read("a", 0, 100) == b"second"
    store.put_new("a", file(tmp_path, b"third", "third"))
    assert store.read("a", 0, 100) == b"second"


def test_a_replaced_object_is_no_link_to_the_file_it_came_from(store, tmp_path):
    source = file(tmp_path, b"signed")
    store.replace("a", source)
    source.write_bytes(b"edited")
    assert store.read("a", 0, 100) == b"signed"


def test_a_reader_finds_the_old_content_or_the_new(store, tmp_path):
    contents = [os.urandom(50_000) for _ in range(2)]
    files = [file(tmp_path, content, f"version-{number}") for number, content in enumerate(contents)]
    store.replace("a", files[0])
    with ThreadPoolExecutor(2) as pool:
        written = pool.submit(lambda: [store.replace("a", files[number % 2]) for number in range(20)])
        while not written.done():
            assert store.read("a", 0, 100_000) in contents
        written.result()


def test_names_are_listed_by_prefix_and_gone_when_deleted(store, tmp_path):
    for name in ("b/2", "b/1", "c/1"):
        store.put_new(name, file(tmp_path, name.encode()))
    assert list(store.list("b/")) == [Stored("b/1", 3), Stored("b/2", 3)]
    store.delete("b/1")
    assert [one.name for one in store.list()] == ["b/2", "c/1"]
    assert not store.get("b/1", tmp_path / "back")


def test_large_files_travel_in_parts(store, tmp_path):
    content = os.urandom(2 * POLICY.part_bytes + 12345)
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
    with pytest.raises(StorageError, match="not a name of an object"):
        store.put_new(name, file(tmp_path, b"x"))
    with pytest.raises(StorageError, match="not a name of an object"):
        store.get(name, tmp_path / "back")


def test_content_other_than_expected_is_never_given(store, tmp_path):
    store.put_new("a", file(tmp_path, b"codes"))
    assert store.get("a", tmp_path / "good", sha256=sha256_text("codes"))
    assert not store.get("a", tmp_path / "bad", sha256=sha256_text("other"))
    assert not (tmp_path / "bad").exists()
    assert store.size_of("a") is None


def test_a_folder_is_no_object(store, tmp_path):
    store.put_new("a/b", file(tmp_path, b"codes"))
    assert store.size_of("a") is None


def test_many_names_come_page_by_page(endpoint, tmp_path):
    settings, policy = Settings(s3_endpoint=endpoint), TransferPolicy(page_size=2)
    store = S3Store(BUCKET, tmp_path.name, settings, policy=policy)
    for name in "abcde":
        store.put_new(name, file(tmp_path, b"x"))
    assert [one.name for one in store.list()] == list("abcde")


def test_what_a_killed_writer_left_is_no_object(tmp_path):
    store = DirectoryStore(tmp_path / "store")
    (tmp_path / "store").mkdir()
    file(tmp_path / "store", b"half", ".a.1-1.tmp")
    assert list(store.list()) == []


def refusal(endpoint: str, tmp_path: Path, store: str = f"s3://{BUCKET}") -> str:
    """What a store says that cannot be written to."""
    with pytest.raises(StorageError) as raised:
        open_store(Settings(store=store, s3_endpoint=endpoint)).put_new("a", file(tmp_path, b"x"))
    assert "SECRET-" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("key", "secret", "told"),
    [
        (ACCESS_KEY, "SECRET-of-another", "look at AWS_ACCESS_KEY_ID and the bucket's policy"),
        ("another", "SECRET-of-another", "look at AWS_ACCESS_KEY_ID and the bucket's policy"),
        (ACCESS_KEY, "", "missing: AWS_SECRET_ACCESS_KEY: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("", "", "Unable to locate credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_wrong_or_missing_credentials_are_told(endpoint, monkeypatch, tmp_path, key, secret, told):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    assert told in refusal(endpoint, tmp_path)


def test_a_profile_that_is_not_there_is_told(endpoint, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "profile (nobody) could not be found: look at" in refusal(endpoint, tmp_path)


def test_a_missing_bucket_is_told(endpoint, tmp_path):
    told = refusal(endpoint, tmp_path, "s3://no-such-bucket")
    assert "s3://no-such-bucket/a: the server answered NoSuchBucket: there is no such bucket: create" in told


@pytest.mark.parametrize("address", ["gs://bucket", "s3://", "s3:///prefix", "s3://b c/d", "s3://b/a/../d"])
def test_an_address_of_another_kind_is_refused(address):
    with pytest.raises(ParamsError, match=r"REELFLOW_STORE is .*expected a folder, s3://BUCKET/PREFIX"):
        open_store(Settings(store=address))


@pytest.mark.parametrize(
    "endpoint", ["minio", "minio:9000", "http://", "ftp://minio", "http://user:SECRET-word/@minio:9000"]
)
def test_an_endpoint_that_is_no_address_is_refused(endpoint, s3_credentials):
    with pytest.raises(ParamsError, match=r"REELFLOW_S3_ENDPOINT is .*expected http://HOST:PORT") as raised:
        open_store(Settings(store="s3://bucket", s3_endpoint=endpoint))
    assert "SECRET-" not in str(raised.value)


def test_an_impossible_port_is_told(s3_credentials, tmp_path):
    assert "was not a valid URI: look at REELFLOW_S3_ENDPOINT" in refusal("http://minio:99999", tmp_path)
