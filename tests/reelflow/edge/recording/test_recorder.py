"""Clips of files: what is in them, where they begin and end, and what happens when they are cut."""

from pathlib import Path

import av
import pytest

from reelflow.edge.recording.clip_file import cut_to_whole_boxes
from reelflow.edge.recording.orders import RingOrder
from reelflow.edge.recording.shelf import is_played
from reelflow.video.decode import probe
from tests.reelflow.edge.recording.killed import killed_while_recording
from tests.reelflow.edge.recording.recordings import levels, near, order, record, times
from tests.videos import level, write_timed, write_video

NAME = order(Path(), 0.0).name


def b_frames(path: Path, start: int = 0, keyframes: int = 5) -> Path:
    """Six seconds of H.264 with B-frames, ten a second."""
    stamps = range(start, start + 6000, 100)
    return write_timed(path, stamps, "libx264", b_frames=2, keyframes=keyframes)


@pytest.mark.parametrize("start", [0, 1_000_000])
def test_a_clip_begins_with_a_keyframe_before_what_was_asked_and_ends_after_it(tmp_path, start):
    source = b_frames(tmp_path / "camera.mkv", start)
    assert record(source, {25: order(tmp_path, 2.03, 4.0)}) == [(NAME, "")]
    clip = tmp_path / f"{NAME}.mp4"
    with av.open(str(clip)) as container:
        packet = next(container.demux(video=0))
        assert (packet.is_keyframe, packet.pts) == (True, 0)
    shown = times(clip)
    assert shown[0] == 0
    begun = levels(clip)[:1]
    first = next(n for n in range(11, 60) if near(begun, [level(n)]))
    assert 1.5 <= first * 0.1 <= 2.03
    assert 4.0 <= first * 0.1 + shown[-1] + 0.1 <= 4.5
    assert probe(clip).codec == "h264"


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_exact_clip_shows_what_was_shown_and_nothing_before(tmp_path, codec):
    source = write_video(tmp_path / "camera.mp4", 60, codec=codec)
    record(source, {28: order(tmp_path, 1.55, 3.0, exact=True)})
    found = levels(tmp_path / f"{NAME}.mp4")
    assert near(found[:15], [level(n) for n in range(15, 30)]), "from the frame that is shown at 1.55 s on"
    assert len(found) <= 18


def test_clips_may_overlap_and_are_written_twice_the_same(tmp_path):
    source = b_frames(tmp_path / "camera.mkv")
    orders = {20: order(tmp_path, 1.0, 3.0), 25: order(tmp_path, 1.0, 3.0, id="b", name=f"b{NAME}")}
    assert [problem for _, problem in record(source, orders)] == ["", ""]
    assert (tmp_path / f"{NAME}.mp4").read_bytes() == (tmp_path / f"b{NAME}.mp4").read_bytes()


def test_what_does_not_fit_mp4_is_matroska(tmp_path):
    source = write_timed(tmp_path / "camera.mkv", range(0, 6000, 100), "mjpeg")
    record(source, {25: order(tmp_path, 2.0, 4.0)})
    assert near(levels(tmp_path / f"{NAME}.mkv"), [level(n) for n in range(20, 41)])


def test_one_frame_a_second_and_few_keyframes(tmp_path):
    stamps = range(0, 60_000, 1000)
    source = write_timed(tmp_path / "camera.mkv", stamps, "libx264", keyframes=10)
    record(source, {31: order(tmp_path, 25.5, 32.0)}, RingOrder(keep_s=20.0, max_bytes=10**6))
    clip = tmp_path / f"{NAME}.mp4"
    assert times(clip)[0] == 0
    assert 7 <= probe(clip).frame_count <= 18
    assert any(near([levels(clip)[0]], [level(n)]) for n in range(10, 26))


def test_raw_packets_without_any_times_are_counted(tmp_path):
    source = write_timed(tmp_path / "camera.264", range(0, 6000, 100), "libx264", container_format="h264")
    record(source, {5: order(tmp_path, 0.0, 30.0)})
    assert probe(tmp_path / f"{NAME}.mp4").frame_count == 60
    assert times(tmp_path / f"{NAME}.mp4") == sorted(set(times(tmp_path / f"{NAME}.mp4")))


def joined(path: Path, *sources: Path) -> Path:
    path.write_bytes(b"".join(source.read_bytes() for source in sources))
    return path


def test_a_stream_that_begins_again_or_changes_its_size_begins_another_file(tmp_path):
    small = write_video(tmp_path / "a.ts", 30, codec="libx264")
    large = write_video(tmp_path / "b.ts", 30, (128, 96), codec="libx264")
    told = record(joined(tmp_path / "camera.ts", small, large), {2: order(tmp_path, 0.0, 100.0)})
    assert told == [(NAME, "")]
    first, second = (probe(tmp_path / f"{NAME}{part}.mp4") for part in ("", "-2"))
    assert ((first.width, first.height), (second.width, second.height)) == ((64, 48), (128, 96))
    assert first.frame_count >= 29
    assert second.frame_count >= 29
    assert times(tmp_path / f"{NAME}-2.mp4")[0] == 0


def test_rotation_is_kept(tmp_path, shared_data):
    source = shared_data / "odd_videos" / "decord_video_90.mov"
    record(source, {0: order(tmp_path, 0.0, 100.0)})
    (clip,) = tmp_path.glob(f"{NAME}*")
    assert probe(clip).rotation == 90


def test_a_large_group_of_pictures_is_told_once(tmp_path):
    source = write_video(tmp_path / "camera.mp4", 40, codec="libx264", seed=1)
    told = record(source, {2: order(tmp_path, 0.0, 100.0)}, RingOrder(keep_s=5.0, max_bytes=10_000))
    assert [problem.split(":")[0] for _, problem in told] == [
        "5 s of packets take more than 0 MB",
        "no keyframe came during the clip",
    ]


def test_a_cut_file_plays_wherever_it_is_cut(tmp_path):
    source = write_timed(tmp_path / "camera.mkv", range(0, 8000, 100), "libx264", b_frames=2)
    temporary = tmp_path / "growing"
    whole = killed_while_recording(source, temporary)
    cuts = range(len(whole), 0, -max(1, len(whole) // 15))
    counts = []
    for size in cuts:
        (tmp_path / "cut.mp4").write_bytes(whole[:size])
        cut_to_whole_boxes(tmp_path / "cut.mp4")
        counts.append(len(levels(tmp_path / "cut.mp4")) if is_played(tmp_path / "cut.mp4") else 0)
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 60
    assert len(set(counts)) > 5
