"""Servers that die, that know no conditions, that two writers reach at once."""

from dataclasses import replace

import pytest

from reelflow.errors import StorageError
from reelflow.files import sha256_text
from reelflow.objectstore.client import TransferPolicy
from reelflow.objectstore.s3 import S3Store
from reelflow.objectstore.shards import SharedShards
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix
from reelflow.sources.s3 import S3Origin
from tests.faults.store import proxy as faults
from tests.faults.store.commands import served
from tests.faults.store.conftest import CALM, PART_BYTES, Place
from tests.s3_server import BUCKET, free_port

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

FILES = {"shard.npy": b"codes" * (PART_BYTES // 2), "shard.json": b"{}"}


ENTRY = (
    "<Contents><Key>shared/a</Key><Size>1</Size><ETag>x</ETag>"
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
)
END = "<IsTruncated>false</IsTruncated>"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def opened(place: Place, policy: TransferPolicy = CALM) -> S3Store:
    return S3Store(BUCKET, "", Settings(s3_endpoint=place.proxy.endpoint), policy=policy)


@pytest.mark.slow
def test_a_server_that_dies_at_any_request_of_a_publication(place, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    deaths, published = 0, False
    while not published:
        key = f"{deaths:064x}"
        through, beside = SharedShards(place.calm, "dying"), SharedShards(place.beside, "dying")
        place.proxy.heal()
        place.proxy.die_after(deaths, faults.cut_sent)
        try:
            through.publish(key, tmp_path, tuple(FILES))
            published = True
        except StorageError:
            deaths += 1
            assert not beside.fetch(key, tmp_path / "early", tuple(FILES))
        place.proxy.heal()
        through.publish(key, tmp_path, tuple(FILES))
        assert beside.fetch(key, tmp_path / "back", tuple(FILES))
        assert contents(tmp_path / "back") == FILES
        for one in (*place.beside.list("dying/files"), *place.beside.list(f"dying/{key}")):
            place.beside.delete(one.name)
    assert deaths == 9  # one to look; a file in a part costs four, another one and the listing two each
    assert not (tmp_path / "early").exists()


@pytest.mark.slow
def test_a_server_that_dies_at_any_request_of_a_fetch(place, tmp_path):
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    shards = SharedShards(place.calm, "fetched")
    shards.publish("0" * 64, tmp_path, tuple(FILES))
    for requests in range(3):
        place.proxy.heal()
        place.proxy.die_after(requests, faults.truncate)
        back = tmp_path / f"back-{requests}"
        with pytest.raises(StorageError, match="s3://bucket/shared/fetched/"):
            shards.fetch("0" * 64, back, tuple(FILES))
        found = contents(back) if back.exists() else {}
        assert found.items() <= FILES.items()
        assert "shard.json" not in found
        place.proxy.mend()
        assert shards.fetch("0" * 64, back, tuple(FILES))
        assert contents(back) == FILES
        assert list(served(place.proxy, "get", part="/files/").values()) == [1, 1]


def test_a_document_that_the_line_alters_is_not_taken_for_what_lies_there(place, tmp_path):
    name = tmp_path.name
    (tmp_path / "sent").write_text("a listing, of which nobody knows the hash")
    place.beside.put_new(name, tmp_path / "sent")
    place.proxy.spoil("get", faults.flip, times=1)
    assert place.calm.get(name, tmp_path / "back")
    assert (tmp_path / "back").read_text() == (tmp_path / "sent").read_text()
    place.proxy.spoil("get", faults.flip)
    with pytest.raises(StorageError, match=f"{name}: the content is not what was stored"):
        place.calm.get(name, tmp_path / "none")
    assert place.beside.size_of(name)
    assert not (tmp_path / "none").exists()


def test_a_server_that_is_gone_is_told_with_its_address(s3_credentials, tmp_path):
    endpoint = f"http://127.0.0.1:{free_port()}"
    store = S3Store(BUCKET, "", Settings(s3_endpoint=endpoint), policy=CALM)
    with pytest.raises(StorageError, match=f"Could not connect .*{endpoint}.*REELFLOW_S3_ENDPOINT"):
        store.get("a", tmp_path / "a")
    assert not list(tmp_path.iterdir())


def test_content_that_is_wrong_twice_in_the_same_way_is_removed_and_counts_as_absent(place, tmp_path):
    (tmp_path / "sent").write_text("content")
    place.beside.put_new(f"shared/{tmp_path.name}", tmp_path / "sent")
    place.proxy.spoil("get", faults.flip, times=2)
    store = opened(place, replace(CALM, attempts=3))
    name, sha256 = f"shared/shared/{tmp_path.name}", sha256_text("content")
    assert not store.get(name, tmp_path / "back", sha256=sha256)
    assert not (tmp_path / "back").exists()
    assert place.proxy.seen["get"] == 3
    assert store.size_of(name) is None


def test_a_slow_server_is_no_fault(place, tmp_path):
    (tmp_path / "sent").write_bytes(b"x" * 32_000)  # half a second, in which more comes than must
    place.beside.put_new(tmp_path.name, tmp_path / "sent")
    place.proxy.spoil("get", faults.slow)
    assert place.hasty.get(tmp_path.name, tmp_path / "back")
    assert place.proxy.seen["get"] == 1


def test_a_download_that_is_too_slow_is_told(place, tmp_path, monkeypatch):
    monkeypatch.setattr("reelflow.objectstore.s3.MIN_BYTES_PER_S", 1_000_000)
    (tmp_path / "sent").write_bytes(b"x" * 150_000)
    place.beside.put_new(tmp_path.name, tmp_path / "sent")
    place.proxy.spoil("get", faults.slow)
    with pytest.raises(StorageError, match=f"{tmp_path.name}: only .* bytes came in .* s: look at"):
        place.hasty.get(tmp_path.name, tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_server_of_another_kind_is_told_and_nothing_is_stored(place, tmp_path):
    (tmp_path / "sent").write_bytes(b"x" * (PART_BYTES + 1))
    place.proxy.spoil("create", faults.other)
    with pytest.raises(StorageError, match=r"the answer is not one of S3 .*UploadId"):
        place.calm.put_new(tmp_path.name, tmp_path / "sent")
    assert place.beside.size_of(tmp_path.name) is None


def test_a_name_that_is_taken_meanwhile_keeps_the_first_copy_where_conditions_are_known(
    place, tmp_path, request
):
    name = tmp_path.name
    for text in ("first", "other"):
        (tmp_path / text).write_text(text)
    place.beside.put_new(name, tmp_path / "first")
    place.proxy.spoil("head", faults.absent)
    place.calm.put_new(name, tmp_path / "other")
    place.beside.get(name, tmp_path / "back")
    kept = "first" if "radosgw" in request.node.name else "other"
    assert (tmp_path / "back").read_text() == kept


@pytest.mark.parametrize(
    "inside",
    [
        *("", ENTRY, "<IsTruncated>true</IsTruncated>", f"{END}{ENTRY.replace('shared/a', 'other/a')}"),
        *(f"{END}{ENTRY.replace(*change)}" for change in (("<Size>1</Size>", ""), ("<Size>1", "<Size>x"))),
        *(f"{END}{ENTRY.replace(*change)}" for change in (("LastModified", "Last"), ("2026-01-01T", "now"))),
        "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>",
    ],
)
def test_a_listing_that_makes_no_sense_is_told(place, inside):
    place.proxy.spoil("list", faults.answering(f"<ListBucketResult>{inside}</ListBucketResult>"))
    with pytest.raises(StorageError, match=r"s3://bucket/shared/: the (answer|listing) .*run the same"):
        list(place.calm.list())
    assert place.proxy.seen["list"] <= CALM.attempts + 1


def test_a_clip_that_changes_or_goes_after_the_listing_is_told(place, tmp_path):
    for name, text in (("a", "first"), ("b", "other")):
        (tmp_path / name).write_text(text)
        place.beside.put_new(f"{tmp_path.name}/{name}", tmp_path / name)
    prefix, settings = f"shared/{tmp_path.name}", Settings(s3_endpoint=place.proxy.endpoint)
    origin = S3Origin(S3Prefix(BUCKET, prefix), settings, policy=CALM)
    for name in "ab":
        place.beside.delete(f"{tmp_path.name}/{name}")
    place.beside.put_new(f"{tmp_path.name}/a", tmp_path / "b")
    told = f"{prefix}/a: (the server answered PreconditionFailed: it has changed|the content is not what was)"
    with pytest.raises(StorageError, match=told):
        origin.get("a", tmp_path / "back")
    with pytest.raises(StorageError, match=f"{prefix}/b is gone: run the same command again"):
        origin.get("b", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_listing_of_clips_without_versions_is_told(place):
    listing = f"<ListBucketResult>{END}{ENTRY.replace('<ETag>x</ETag>', '')}</ListBucketResult>"
    place.proxy.spoil("list", faults.answering(listing))
    with pytest.raises(StorageError, match=r"s3://bucket/shared/: the answer .*ETag.*run the same"):
        S3Origin(S3Prefix(BUCKET, "shared"), Settings(s3_endpoint=place.proxy.endpoint), policy=CALM)


def test_a_server_that_refuses_conditions_is_asked_without(place, tmp_path):
    store, path = opened(place), tmp_path / "file"
    path.write_text("content")
    place.proxy.spoil("put", faults.unconditional)
    for name in ("a", "b"):
        store.put_new(f"{tmp_path.name}/{name}", path)
    assert place.proxy.seen["put"] == 3
    assert store.get(f"{tmp_path.name}/b", tmp_path / "back")
