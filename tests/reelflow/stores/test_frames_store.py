"""Frames come back from their shards as they were put in; damaged shards are refused."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reelflow.contracts import FramesReport
from reelflow.errors import BundleError
from reelflow.files import write_text
from reelflow.stores.frames import FrameStore
from tests.fake_frames import write_frames


@pytest.fixture
def folder(tmp_path):
    write_frames(tmp_path / "frames", 6, shards=2, count=3)
    return tmp_path / "frames"


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    write_text(path, json.dumps(document))


def move_member(index, clip_id, place):
    index["members"][f"{clip_id}/000.jpg"] = place


def test_every_clip_can_be_read(folder):
    store = FrameStore(folder)
    assert len(store.clip_ids) == 6
    assert [clip_id for shard in store.shards for clip_id in shard.clip_ids] == list(store.clip_ids)
    for clip_id in store.clip_ids:
        frames = store.read(clip_id)
        assert frames.shape[0] == 3
        assert frames.dtype == np.uint8
        assert clip_id in store
    assert len({store.read(clip_id).shape for clip_id in store.clip_ids}) == 2


def test_several_threads_read_at_once(folder):
    store = FrameStore(folder)
    alone = {clip_id: store.read(clip_id) for clip_id in store.clip_ids}
    asked = list(store.clip_ids) * 20
    with ThreadPoolExecutor(8) as pool:
        for clip_id, frames in zip(asked, pool.map(store.read, asked), strict=True):
            assert np.array_equal(frames, alone[clip_id])


def test_an_unknown_clip_is_named(folder):
    with pytest.raises(BundleError, match="0123456789abcdef"):
        FrameStore(folder).read("0123456789abcdef")


def test_a_shard_that_is_cut_off_is_refused(folder):
    tar = next(folder.glob("*.tar"))
    tar.write_bytes(tar.read_bytes()[:-512])
    with pytest.raises(BundleError, match="is not the shard"):
        FrameStore(folder)


@pytest.mark.parametrize("pattern", ["*.tar", "shard-*.json", "frames.json"])
def test_a_missing_file_is_named(folder, pattern):
    path = next(folder.glob(pattern))
    path.unlink()
    with pytest.raises(BundleError, match=path.name):
        FrameStore(folder)


def test_a_shard_outside_of_the_folder_is_refused(folder, tmp_path):
    shard = FramesReport.open(folder).shards[0].file
    (folder / shard).rename(tmp_path / shard)
    edit_json(folder / "frames.json", lambda report: report["shards"][0].update(file=f"../{shard}"))
    with pytest.raises(BundleError, match="is missing"):
        FrameStore(folder)


@pytest.mark.parametrize("place", [(-512, 10), (512, 10**9), (10**12, 10), (512, 0)])
def test_a_member_outside_of_its_shard_is_refused(folder, place):
    shard = FramesReport.open(folder).shards[0]
    edit_json(
        (folder / shard.file).with_suffix(".json"),
        lambda index: move_member(index, shard.clip_ids[0], place),
    )
    with pytest.raises(BundleError, match="outside of the file"):
        FrameStore(folder)


def test_what_is_no_jpeg_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    edit_json(
        (folder / shard.file).with_suffix(".json"),
        lambda index: move_member(index, shard.clip_ids[0], (0, 512)),
    )
    with pytest.raises(BundleError, match="no JPEG that can be read"):
        FrameStore(folder).read(shard.clip_ids[0])


def test_a_jpeg_of_another_size_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    clip_id = shard.clip_ids[0]
    edit_json(
        (folder / shard.file).with_suffix(".json"), lambda index: index["sizes"].update({clip_id: [8, 8]})
    )
    with pytest.raises(BundleError, match=r"expected RGB \(8, 8\)"):
        FrameStore(folder).read(clip_id)


def test_an_index_that_lacks_a_frame_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    path = (folder / shard.file).with_suffix(".json")
    edit_json(path, lambda index: index["members"].pop(f"{shard.clip_ids[0]}/002.jpg"))
    with pytest.raises(BundleError, match="is not the shard"):
        FrameStore(folder)


@pytest.mark.parametrize("size", [[0, 8], [8, -1], [10**6, 10**6]])
def test_frames_of_absurd_size_are_refused_before_memory_is_taken(folder, size):
    shard = FramesReport.open(folder).shards[0]
    edit_json(
        (folder / shard.file).with_suffix(".json"),
        lambda index: index["sizes"].update({shard.clip_ids[0]: size}),
    )
    with pytest.raises(BundleError, match="cannot be"):
        FrameStore(folder)
