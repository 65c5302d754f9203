"""Clips are dealt to shards by content, and shards hold nothing of the machine or the moment."""

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.frames.extract import Extracted
from components.frames.shards import assign_shards, part_of, whole_shard
from components.frames.write import write_shard
from reelflow.artifacts.frames import ShardIndex, index_path
from reelflow.contracts import Clip
from reelflow.errors import ClipError
from reelflow.files import sha256_file, sha256_text

clip_counts = st.integers(0, 60)
shard_counts = st.integers(1, 100)


def a_clip(number: int) -> Clip:
    sha256 = sha256_text(str(number))
    return Clip(
        clip_id=sha256[:16],
        path=f"a/{number}.mp4",
        label="a",
        group="a",
        split="train",
        frame_count=1,
        duration_s=1,
        fps=1,
        width=1,
        height=1,
        rotation=0,
        codec="h264",
        has_audio=False,
        size_bytes=1,
        sha256=sha256,
    )


@given(clip_counts, shard_counts, st.randoms())
def test_every_clip_is_in_one_shard_whatever_the_order(clips, count, random):
    dealt = [a_clip(number) for number in range(clips)]
    shards = assign_shards(dealt, count)
    random.shuffle(dealt)
    assert assign_shards(dealt, count) == shards
    ids = [clip.clip_id for members in shards.values() for clip in members]
    assert sorted(ids) == sorted(clip.clip_id for clip in dealt)
    assert all(members for members in shards.values())
    assert len(shards) <= count


@given(clip_counts, shard_counts)
def test_a_clip_more_moves_no_other_clip(clips, count):
    before = assign_shards([a_clip(number) for number in range(clips)], count)
    after = assign_shards([a_clip(number) for number in range(clips + 1)], count)
    for name, members in before.items():
        assert {clip.clip_id for clip in members} <= {clip.clip_id for clip in after[name]}


def test_a_shard_is_whole_when_its_index_fits(tmp_path):
    tar = tmp_path / "shard-00000-of-00001.tar"
    clips = [a_clip(1), a_clip(2)]
    outcomes = [Extracted.of(clips[0].clip_id, (b"one", b"two"), (4, 3), ""), ClipError("broken")]
    assert whole_shard(tar, clips) is None
    finished = write_shard(tar, clips, outcomes)
    assert whole_shard(tar, clips) == finished
    assert [rejected.reason for rejected in finished.quarantined] == ["broken"]
    assert whole_shard(tar, [*clips, a_clip(3)]) is None
    tar.write_bytes(tar.read_bytes()[:-1])
    assert whole_shard(tar, clips) is None


def test_the_index_finds_what_tar_finds(tmp_path):
    tar = tmp_path / "shard-00000-of-00001.tar"
    clips = [a_clip(1), a_clip(2)]
    jpegs = [(b"1" * 700, b"2" * 512, b"3"), (b"4" * 513, b"5" * 511, b"6" * 1024)]
    outcomes = [Extracted.of(clip.clip_id, some, (4, 3), "") for clip, some in zip(clips, jpegs, strict=True)]
    write_shard(tar, clips, outcomes)
    index, raw = ShardIndex.read(index_path(tar)), tar.read_bytes()
    with tarfile.open(tar) as archive:
        members = archive.getmembers()
        assert [member.name for member in members] == [f"{clip.clip_id}.mjpeg" for clip in clips]
        for clip, member, some in zip(clips, members, jpegs, strict=True):
            assert archive.extractfile(member).read() == b"".join(some)
            assert (member.mtime, member.uid, member.gid, member.uname) == (0, 0, 0, "")
            places = index.clips[clip.clip_id].places()
            assert tuple(raw[start : start + length] for start, length in places) == some


@given(clip_counts, shard_counts, st.integers(1, 9))
def test_every_shard_is_in_one_part(clips, count, parts):
    shards = assign_shards([a_clip(number) for number in range(clips)], count)
    dealt = [part_of(shards, f"{number}/{parts}") for number in range(1, parts + 1)]
    assert {file: members for part in dealt for file, members in part.items()} == shards
    assert sum(map(len, dealt)) == len(shards)


@pytest.mark.parametrize(("count", "parts"), [(8, 2), (8, 4), (16, 8), (64, 8)])
def test_parts_of_real_clips_hold_as_many_bytes(shared_data, count, parts):
    paths = [path for path in sorted((shared_data / "clips").rglob("*")) if path.suffix in (".avi", ".mp4")]
    clips = [
        a_clip(0).model_copy(update={"clip_id": sha256_file(path)[:16], "size_bytes": path.stat().st_size})
        for path in paths
    ]
    shards = assign_shards(clips, count)
    sizes = [
        sum(clip.size_bytes for members in part_of(shards, f"{number}/{parts}").values() for clip in members)
        for number in range(1, parts + 1)
    ]
    assert len(clips) > 400
    assert max(sizes) < 1.3 * min(sizes)
