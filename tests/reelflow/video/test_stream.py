"""Frames of a video of any length, at moments of presentation time."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from reelflow.errors import ClipError
from reelflow.video.decode import probe, sample_frames
from reelflow.video.stream import MAX_REPEATS, FrameStream
from tests.reelflow.video.test_decode import USABLE
from tests.videos import level, write_timed, write_video


def shown(stream: FrameStream) -> list[tuple[float, int]]:
    """Moments, and the number of the frame that is shown."""
    levels = np.array([level(number) for number in range(14)])
    return [(round(time_s, 6), int(np.abs(levels - image.mean()).argmin())) for time_s, image in stream]


def test_moments_are_the_centres_of_intervals(tmp_path: Path):
    stream = FrameStream(write_video(tmp_path / "a.mp4", frames=10), 0.2)  # 10 frames a second
    assert shown(stream) == [(0.1, 1), (0.3, 3), (0.5, 5), (0.7, 7), (0.9, 9)]
    assert stream.duration_s == pytest.approx(1.0)


@pytest.mark.parametrize(("frames", "count"), [(12, 5), (12, 12), (12, 25), (7, 3), (1, 4)])
def test_a_window_of_a_clips_length_has_the_frames_of_the_clip(tmp_path: Path, frames: int, count: int):
    clip = write_video(tmp_path / "a.mp4", frames=frames)
    images = [image for _, image in FrameStream(clip, frames / 10 / count)]
    np.testing.assert_array_equal(np.stack(images), sample_frames(clip, count))


def test_frames_come_when_they_are_shown_whatever_the_rate(tmp_path: Path):
    video = write_timed(tmp_path / "a.mkv", [0, 100, 200, 1000, 1050])
    assert shown(FrameStream(video, 0.25)) == [(0.125, 1), (0.375, 2), (0.625, 2), (0.875, 2), (1.125, 4)]


def test_a_frame_that_stays_is_one_object_and_is_not_given_for_ever(tmp_path: Path):
    stream = FrameStream(write_timed(tmp_path / "a.mkv", [0, 1_000, 9_000_000, 9_001_000]), 0.5)
    found = list(stream)
    assert len({id(image) for _, image in found}) <= 4
    assert len(found) < 3 * MAX_REPEATS
    assert found[-1][0] > 9000, "what follows a long stay keeps its time"
    assert stream.duration_s > 9001


def test_without_timestamps_frames_come_at_the_nominal_rate(tmp_path: Path):
    stream = FrameStream(write_video(tmp_path / "a.m4v", frames=10, container_format="m4v"), 0.2)
    assert [number for _, number in shown(stream)] == [1, 3, 5, 7, 9]
    assert stream.duration_s == pytest.approx(1.0)


def test_timestamps_that_begin_again_do_not_turn_time_back(tmp_path: Path):
    one = write_video(tmp_path / "a.ts", frames=10, container_format="mpegts").read_bytes()
    (tmp_path / "twice.ts").write_bytes(one * 2)
    stream = FrameStream(tmp_path / "twice.ts", 0.1)
    times = [time_s for time_s, _ in stream]
    assert times == sorted(set(times))
    assert stream.duration_s == pytest.approx(2.0, abs=0.2)


def test_even_the_shortest_video_shows_something(tmp_path: Path):
    found = list(FrameStream(write_video(tmp_path / "a.mp4", frames=1), 10.0))
    assert [time_s for time_s, _ in found] == [5.0]


def test_what_is_no_video_is_refused(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"this is not a video\n" * 99)
    with pytest.raises(ClipError, match="it is not a"):
        list(FrameStream(tmp_path / "a.mp4", 0.1))


def test_memory_does_not_grow_with_the_video(tmp_path: Path):
    peaks = []
    for frames in (50, 500):
        video = write_video(tmp_path / f"{frames}.mp4", frames=frames, size=(320, 240))
        tracemalloc.start()
        assert sum(1 for _ in FrameStream(video, 0.1)) == frames
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 320 * 240 * 3


@pytest.mark.parametrize("name", sorted(USABLE))
def test_odd_videos_last_as_long_as_they_do(shared_data: Path, name: str):
    path = shared_data / "odd_videos" / name
    if USABLE[name][1] > 640:
        pytest.skip("slow")
    facts, stream = probe(path), FrameStream(path, 0.1)
    times = [time_s for time_s, image in stream if image.shape == (facts.height, facts.width, 3)]
    assert times == sorted(set(times))
    assert stream.duration_s == pytest.approx(facts.duration_s, abs=1e-6)
    assert len(times) == pytest.approx(stream.duration_s / 0.1, abs=1)
