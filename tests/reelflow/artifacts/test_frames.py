"""Frames come back from their shards as they were put in; damaged shards are refused."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from reelflow.artifacts.frames import FrameStore, ShardIndex, index_path
from reelflow.contracts import FramesReport
from reelflow.errors import BundleError
from reelflow.files import write_text
from tests.fake_frames import write_frames


@pytest.fixture
def folder(tmp_path):
    write_frames(tmp_path / "frames", 6, shards=2, count=3)
    return tmp_path / "frames"


def edit_json(path, change):
    document = json.loads(path.read_text())
    change(document)
    write_text(path, json.dumps(document))


def damage(tar, clip_id, frame):
    """Overwrite a frame's first bytes."""
    offset, _ = ShardIndex.read(index_path(tar)).clips[clip_id].places()[frame]
    content = bytearray(tar.read_bytes())
    content[offset : offset + 4] = b"oops"
    tar.write_bytes(content)


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


def test_offsets_give_the_frames_beside_the_plain_ones(tmp_path):
    """The same noise, read as three frames kept for each of two and as six plain ones."""
    write_frames(tmp_path / "three", 2, count=2, oversample=3)
    write_frames(tmp_path / "one", 2, count=6)
    three, one = FrameStore(tmp_path / "three"), FrameStore(tmp_path / "one")
    for clip_id in one.clip_ids:
        assert np.array_equal(three.read(clip_id), three.read(clip_id, 0))
        for offset in (-1, 0, 1):
            assert np.array_equal(three.read(clip_id, offset), one.read(clip_id)[1 + offset :: 3])


def test_plain_frames_are_read_without_decoding_the_others(tmp_path):
    report = write_frames(tmp_path / "frames", 1, shards=1, count=2, oversample=3)
    shard, plain = report.shards[0], FrameStore(tmp_path / "frames").read(report.shards[0].clip_ids[0])
    for frame in (0, 2, 3, 5):
        damage(tmp_path / "frames" / shard.file, shard.clip_ids[0], frame)
    store = FrameStore(tmp_path / "frames")
    assert np.array_equal(store.read(shard.clip_ids[0]), plain)
    with pytest.raises(BundleError, match="not a readable JPEG"):
        store.read(shard.clip_ids[0], 1)


@pytest.mark.parametrize(("oversample", "offset"), [(1, 1), (1, -1), (3, 2), (3, -2)])
def test_an_offset_that_was_not_kept_is_refused(tmp_path, oversample, offset):
    write_frames(tmp_path / "frames", 1, oversample=oversample)
    store = FrameStore(tmp_path / "frames")
    with pytest.raises(BundleError, match=rf"asked for {offset}: run the frames step"):
        store.read(store.clip_ids[0], offset)


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


@pytest.mark.parametrize(
    "place",
    [
        {"start": -512},
        {"start": 10**6},
        {"start": 10**40},
        {"lengths": [10, 10, 10**6]},
        {"lengths": [10, 0, 10]},
        {"lengths": [10, -600, 10]},
        {"lengths": [10, 10, 10**40]},
    ],
    ids=str,
)
def test_frames_outside_of_their_shard_are_refused(folder, place):
    shard = FramesReport.open(folder).shards[0]
    edit_json(index_path(folder / shard.file), lambda index: index["clips"][shard.clip_ids[0]].update(place))
    with pytest.raises(BundleError, match="outside of the file"):
        FrameStore(folder)


def test_what_is_no_jpeg_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    damage(folder / shard.file, shard.clip_ids[0], 0)
    with pytest.raises(BundleError, match="not a readable JPEG"):
        FrameStore(folder).read(shard.clip_ids[0])


def test_a_jpeg_of_another_size_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    clip_id = shard.clip_ids[0]
    edit_json(
        index_path(folder / shard.file), lambda index: index["clips"][clip_id].update(width=8, height=8)
    )
    with pytest.raises(BundleError, match=r"expected YCbCr \(8, 8\)"):
        FrameStore(folder).read(clip_id)


def test_an_index_that_lacks_a_frame_is_refused(folder):
    shard = FramesReport.open(folder).shards[0]
    edit_json(
        index_path(folder / shard.file), lambda index: index["clips"][shard.clip_ids[0]]["lengths"].pop()
    )
    with pytest.raises(BundleError, match="is not the index of the shard"):
        FrameStore(folder)


@pytest.mark.parametrize("size", [(0, 8), (8, -1), (10**6, 10**6)])
def test_frames_of_absurd_size_are_refused_before_memory_is_taken(folder, size):
    shard = FramesReport.open(folder).shards[0]
    change = dict(zip(("width", "height"), size, strict=True))
    edit_json(index_path(folder / shard.file), lambda index: index["clips"][shard.clip_ids[0]].update(change))
    with pytest.raises(BundleError, match="cannot be"):
        FrameStore(folder)
