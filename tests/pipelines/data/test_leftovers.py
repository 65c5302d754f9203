"""What killed writers have left: found by its age, removed from folders and from real S3."""

import os
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from pipelines.data.garbage import DAY_S
from pipelines.data.leftovers import clear, find_leftovers
from reelflow.objectstore.client import TransferPolicy
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.s3 import S3Store
from reelflow.settings import Settings
from tests.s3_server import BUCKET, SERVERS

NOW = 2_000_000_000.0
OLD, YOUNG = NOW - 50 * DAY_S, NOW - DAY_S
SHA = "0" * 64


def write(path: Path, modified: float, content: str = "half") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    for one in (path, path.parent):
        os.utime(one, (modified, modified))
    return path


def test_old_halves_go_and_all_else_stays(tmp_path: Path):
    store, out = tmp_path / "store", tmp_path / "out"
    gone = [
        write(store / "frames" / "files" / f".{SHA}.12-345.tmp", OLD),
        write(store / "facts" / f".{SHA}.json.12-345.tmp", OLD),
        write(out / "work" / ".frames-1.partial" / ".0.tar.7-8.tmp", OLD),
        write(tmp_path / ".transfer-abcd_123" / "tmp1" / "file", OLD),
    ]
    os.utime(gone[-1].parent.parent, (OLD, OLD))
    stays = [
        write(store / "frames" / "files" / f".{SHA}.99-345.tmp", YOUNG),
        write(store / "others" / f".{SHA}.12-345.tmp", OLD),
        write(store / "frames" / "files" / SHA, OLD),
        write(out / "notes" / ".mine.tmp", OLD),
        write(out / "2" / ".summary.json.7-8.tmp", YOUNG),
        write(tmp_path / ".transfer-of-mine" / "file", OLD),
        write(tmp_path / ".transfer-live1234" / "file", YOUNG),
    ]
    found = find_leftovers(DirectoryStore(store), [out], tmp_path, 14, NOW)
    assert sorted(one.kind for one in found) == [
        "unfinished files",
        "unfinished shards",
        "unfinished shards",
        "unfinished transfers",
    ]
    assert clear(found) == 4
    assert not [path for path in gone if path.exists()]
    assert all(path.is_file() for path in stays)
    assert clear(found) == 4, "what is gone is no error"


@pytest.mark.parametrize("server", SERVERS)
def test_uploads_that_nobody_ended_are_aborted(
    server: str, s3_servers: Callable[[str], str], s3_credentials: None, tmp_path: Path
):
    settings = Settings(REELFLOW_S3_ENDPOINT=s3_servers(server))
    store = S3Store(BUCKET, "left", settings, policy=TransferPolicy(page_size=2))
    others = S3Store(BUCKET, "left-of-others", settings)
    assert not list(store.incomplete_uploads())
    names = [f"frames/files/{number:064x}" for number in range(5)]
    client = boto3.client("s3", endpoint_url=settings.s3_endpoint, region_name="us-east-1")
    for key in (*(f"left/{name}" for name in names), "left/clips/mine", f"left-of-others/{names[0]}"):
        where = {"Bucket": BUCKET, "Key": key}
        begun = client.create_multipart_upload(**where)
        client.upload_part(**where, UploadId=begun["UploadId"], PartNumber=1, Body=b"x" * 100_000)
    now = max(one.modified for one in store.incomplete_uploads())

    def find(at: float):
        return find_leftovers(store, [], tmp_path, 1, at)

    assert not find(now)
    left = find(now + 2 * DAY_S)
    assert [one.kind for one in left] == ["unfinished shards"] * 5
    assert clear(left) == 5
    assert [one.name for one in store.incomplete_uploads()] == ["clips/mine"]
    assert len(list(others.incomplete_uploads())) == 1
    assert clear(left) == 5, "what is gone is no error"
