"""The same frames and features, whether their shards are beside the report or in a store."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from reelflow.artifacts.features import FeatureStore
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.shard_files import ShardAccess, shard_access
from reelflow.errors import BundleError, ParamsError, StorageError
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.shards import SharedShards
from reelflow.settings import Settings
from reelflow.workers.scratch import Scratch
from tests import fake_features
from tests.fake_frames import write_frames


class Spy(DirectoryStore):
    """A store that notes what is read: `get NAME` or `read NAME`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked: list[str] = []

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        self.asked.append(f"get {name}")
        return super().get(name, path, sha256=sha256)

    def read(self, name: str, start: int, size_bytes: int) -> bytes | None:
        self.asked.append(f"read {name}")
        return super().read(name, start, size_bytes)


class Place:
    """Outputs beside their shards, and others whose shards are in a store."""

    def __init__(self, folder: Path, kind: str, whole: Path) -> None:
        self.whole, self.lean, self.kind = whole, folder / f"lean {kind}", kind
        self.store = Spy(folder / "store")
        shared = SharedShards(self.store, kind)
        for path in whole.iterdir():
            if path.name != f"{kind}.json":
                shared.put(path)
        self.lean.mkdir()
        report = json.loads((whole / f"{kind}.json").read_text())
        (self.lean / f"{kind}.json").write_text(json.dumps(report | {"stored": True}))
        self.access = ShardAccess(self.store, Scratch(folder / f"scratch {kind}"))

    def file(self, sha256: str) -> Path:
        return self.store._path(f"{self.kind}/files/{sha256}")


@pytest.fixture
def frames(tmp_path: Path) -> Place:
    write_frames(tmp_path / "frames", 6, shards=2, count=3)
    return Place(tmp_path, "frames", tmp_path / "frames")


@pytest.fixture
def features(tmp_path: Path) -> Place:
    _, whole = fake_features.write_both(tmp_path)
    return Place(tmp_path, "features", whole)


def test_frames_of_a_store_are_those_of_the_folder(frames):
    here, there = FrameStore(frames.whole), FrameStore(frames.lean, frames.access)
    assert here.clip_ids == there.clip_ids
    for clip_id in here.clip_ids:
        assert np.array_equal(here.read(clip_id), there.read(clip_id))
        assert np.array_equal(here.read(clip_id, count=2), there.read(clip_id, count=2))


def test_one_clip_costs_one_index_and_one_request(frames):
    store = FrameStore(frames.lean, frames.access)
    assert frames.store.asked == []
    store.read(store.clip_ids[0])
    shard = store.shards[0]
    files = (f"get frames/files/{shard.index_sha256}", f"read frames/files/{shard.sha256}")
    assert frames.store.asked == [*files]
    store.read(shard.clip_ids[1])
    assert frames.store.asked == [*files, files[1]]


def test_features_of_a_store_are_those_of_the_folder(features):
    here, there = FeatureStore(features.whole), FeatureStore(features.lean, access=features.access)
    assert features.store.asked == []
    wanted = [*reversed(here.clip_ids)]
    for _ in range(2):
        assert np.array_equal(here.gather(wanted), there.gather(wanted))
    files = [f"get features/files/{shard.sha256}" for shard in here.report.shards]
    assert sorted(features.store.asked) == sorted(files)


def test_features_larger_than_the_scratch_are_fetched_again(features, tmp_path):
    here = FeatureStore(features.whole)
    largest = max((features.whole / shard.file).stat().st_size for shard in here.report.shards)
    access = ShardAccess(features.store, Scratch(tmp_path / "small", largest))
    there = FeatureStore(features.lean, access=access)
    for _ in range(2):
        assert np.array_equal(here.gather(here.clip_ids), there.gather(here.clip_ids))
        assert len(list((tmp_path / "small").iterdir())) == 1


def test_an_altered_shard_is_refused(frames, features):
    frame_store = FrameStore(frames.lean, frames.access)
    tar = frames.file(frame_store.shards[0].sha256)
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    with pytest.raises(
        BundleError, match=r"shard-00000-of-00002\.tar was altered in the store and is removed"
    ):
        frame_store.read(frame_store.clip_ids[0])
    assert not tar.exists()
    feature_store = FeatureStore(features.lean, access=features.access)
    path = features.file(feature_store.report.shards[0].sha256)
    path.write_bytes(path.read_bytes()[:-1] + b"\7")
    with pytest.raises(BundleError, match=r"the store holds no .*\.npy any more: run the step"):
        feature_store.gather(feature_store.clip_ids)


def test_a_shard_that_has_gone_is_told(frames):
    store = FrameStore(frames.lean, frames.access)
    frames.file(store.shards[0].sha256).unlink()
    with pytest.raises(BundleError, match=r"the store holds no shard-00000-of-00002\.tar any more"):
        store.read(store.clip_ids[0])
    shutil.rmtree(frames.store._folder)
    with pytest.raises(BundleError, match=r"the store holds no shard-00001-of-00002\.json any more"):
        store.read(store.shards[1].clip_ids[0])


def test_without_the_store_the_message_names_the_setting(frames):
    with pytest.raises(StorageError, match="are in an object store: set REELFLOW_STORE"):
        FrameStore(frames.lean)
    with pytest.raises(ParamsError, match="REELFLOW_SHARDS is store, and REELFLOW_STORE names none"):
        shard_access(Settings(shards="store"), None)
