"""One clock for every use of a video: the times that were written, and those that ffprobe shows."""

import shutil
import subprocess
from itertools import accumulate, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelflow.errors import ClipError
from reelflow.video.clock import Clock
from reelflow.video.decode import decoded, opened, probe, sample_frames
from reelflow.video.stream import FrameStream
from tests.videos import write_stamped, write_timed

FPS = 25
SUFFIXES = {".avi", ".mp4", ".mov", ".mkv", ".webm", ".gif", ".flv"}

some = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
steps = st.lists(st.sampled_from([10, 33, 40, 41, 100, 1000, 60_000]), min_size=4, max_size=20)
with_duplicates = st.lists(st.sampled_from([0, 0, 40, 500]), min_size=1, max_size=15)


def times(path: Path) -> list[float]:
    """The clock's time of every frame, in seconds."""
    with opened(path) as (container, stream):
        clock = Clock(stream)
        return [float(clock.tell(frame)) for frame in decoded(container, stream)]


def ffprobe_times(path: Path) -> list[float | None]:
    """The time of every frame from ffprobe, none where it has none; the first one that it has is 0."""
    if not (ffprobe := shutil.which("ffprobe")):
        pytest.skip("no ffprobe (make test-slow installs it)")
    entries = [
        "-select_streams",
        "v:0",
        "-show_entries",
        "frame=best_effort_timestamp_time",
        "-of",
        "csv=p=0",
    ]
    found = subprocess.run(
        [ffprobe, "-v", "error", *entries, str(path)], capture_output=True, text=True, check=False
    )
    lines = [line.strip(",") for line in found.stdout.splitlines() if line.strip(",")]
    stamps = [None if line == "N/A" else float(line) for line in lines]
    first = next((stamp for stamp in stamps if stamp is not None), 0.0)
    return [None if stamp is None else stamp - first for stamp in stamps]


def assert_one_clock(path: Path, count: int = 25) -> None:
    """All of a video as one window of a timeline has the frames that training and `classify` see."""
    duration_s = probe(path).duration_s
    stream = FrameStream(path, duration_s / count)
    images = [image for _, image in stream]
    assert stream.duration_s == pytest.approx(duration_s, abs=1e-5)
    np.testing.assert_array_equal(np.stack(images), sample_frames(path, count))


@pytest.mark.parametrize(
    ("codec", "b_frames", "suffix"),
    [
        *(
            ("libx264", b_frames, suffix)
            for b_frames in (0, 3)
            for suffix in ("mp4", "mkv", "ts", "flv", "nut")
        ),
        *(("mpeg4", 0, suffix) for suffix in ("mp4", "mkv", "mov")),
        ("libvpx-vp9", 0, "webm"),
        ("mjpeg", 0, "mkv"),
    ],
)
@some
@given(steps)
def test_frames_come_when_they_were_written(tmp_path: Path, codec: str, b_frames: int, suffix: str, steps_ms):
    written = [0, *accumulate(steps_ms)]
    path = write_timed(tmp_path / f"a.{suffix}", written, codec, b_frames=b_frames)
    assert times(path) == pytest.approx([time_ms / 1000 for time_ms in written], abs=0.0011)
    assert_one_clock(path)


@pytest.mark.parametrize(
    ("codec", "suffix"),
    [
        *product(["mpeg4"], ["avi", "mp4", "mkv", "ts", "nut", "mpg", "m4v"]),
        *product(["libx264"], ["avi", "mp4", "mkv", "ts", "nut", "mpg", "flv", "h264"]),
    ],
)
@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("frames", [12, 50])
def test_a_constant_rate_stays_one(tmp_path: Path, suffix: str, codec: str, b_frames: int, frames: int):
    name = {"m4v": "m4v", "mpg": "mpeg"}.get(suffix)
    path = tmp_path / f"a.{suffix}"
    write_timed(path, range(frames), codec, per_s=FPS, b_frames=b_frames, container_format=name)
    assert times(path) == pytest.approx([number / FPS for number in range(frames)], abs=0.0011)
    assert probe(path).duration_s == pytest.approx(frames / FPS, abs=0.002)
    assert_one_clock(path)


@some
@given(with_duplicates)
def test_frames_of_one_time_take_none(tmp_path: Path, steps_ms):
    written = [0, *accumulate(steps_ms)]
    path = write_stamped(tmp_path / "a.mkv", [(time_ms, time_ms) for time_ms in written])
    if written[-1]:
        assert times(path) == [time_ms / 1000 for time_ms in written]
        assert_one_clock(path)
    assert probe(path).duration_s > 0


def test_a_video_of_one_time_goes_on_at_the_nominal_rate(tmp_path: Path):
    path = write_stamped(tmp_path / "a.mkv", [(0, 0)] * 50)
    assert probe(path).duration_s == pytest.approx(2.0, rel=0.4)
    assert len({image.tobytes() for image in sample_frames(path, 10)}) > 5


@some
@given(st.permutations(range(4)))
def test_false_presentation_times_give_way_to_the_order_of_decoding(tmp_path: Path, order):
    """As tools write that confuse the order of decoding with that of display: 0 3 1 2, 4 7 5 6, ..."""
    stamps = [
        (40 * (4 * block + place + 3), 40 * (4 * block + row))
        for block in range(8)
        for row, place in enumerate(order)
    ]
    path = write_stamped(tmp_path / "a.nut", stamps)
    found = times(path)
    assert found == sorted(found)
    assert np.abs(np.diff(found)).max() <= 7 * 0.04
    assert probe(path).duration_s == pytest.approx(1.28, abs=0.2)
    assert_one_clock(path)


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
@pytest.mark.parametrize("parts", [2, 5])
def test_stamps_that_begin_again_go_on(tmp_path: Path, codec: str, b_frames: int, parts: int):
    part = write_timed(tmp_path / "part.ts", range(12), codec, per_s=FPS, b_frames=b_frames)
    path = tmp_path / "joined.ts"
    path.write_bytes(part.read_bytes() * parts)
    expected = [number / FPS for number in range(parts * 12)]
    assert times(path) == pytest.approx(expected, abs=0.0011)
    assert_one_clock(path)


@pytest.mark.parametrize("b_frames", [0, 3])
@pytest.mark.parametrize("before_s", [1, 100])
def test_stamps_that_wrap_go_on(tmp_path: Path, b_frames: int, before_s: int):
    """MPEG-TS has 33 bits of 1/90000 s; FFmpeg sees the wrap itself only up to a minute before."""
    written = range(0, 240_000, 4000)
    options = {"output_ts_offset": str(2**33 / 90000 - before_s), "mpegts_copyts": "1"}
    path = write_timed(tmp_path / "a.ts", written, "libx264", b_frames=b_frames, options=options)
    found = times(path)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(written[-1] / 1000, abs=5)
    assert_one_clock(path)


@pytest.mark.parametrize("name", ["h264_direct.avi", "mp4_to.avi"])
def test_b_frames_in_avi_last_as_long_as_they_do(shared_data: Path, name: str):
    path = shared_data / "reports" / name
    assert probe(path).duration_s == pytest.approx(4.0, abs=0.001)
    assert_one_clock(path)


def test_real_clips_of_xvid_last_as_long_as_they_do(shared_data: Path):
    for path in sorted((shared_data / "clips/ut_interaction").rglob("*.avi"))[::40]:
        facts = probe(path)
        assert facts.duration_s == pytest.approx(facts.frame_count / 30, rel=0.02)
        assert_one_clock(path)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["reports", "clips/ut_interaction/push", "odd_videos"])
def test_real_videos_have_the_times_of_ffprobe(shared_data: Path, folder: str):
    small = (path for path in sorted((shared_data / folder).iterdir()) if path.stat().st_size < 200_000)
    compared = sum(compare_with_ffprobe(path) for path in small if path.suffix in SUFFIXES)
    assert compared > 1


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv", "ts", "mov"])
@pytest.mark.parametrize("codec", ["mpeg4", "libx264"])
def test_synthetic_videos_have_the_times_of_ffprobe(tmp_path: Path, codec: str, suffix: str):
    path = write_timed(tmp_path / f"a.{suffix}", range(25), codec, per_s=FPS, b_frames=2)
    assert compare_with_ffprobe(path)


def compare_with_ffprobe(path: Path) -> bool:
    """Compare the frames that ffprobe has times of; false if it finds none, or we refuse the video."""
    stamps = ffprobe_times(path)
    try:
        pairs = [pair for pair in zip(times(path), stamps, strict=True) if pair[1] is not None]
    except (ClipError, ValueError):
        return False
    assert [pair[0] for pair in pairs] == pytest.approx([pair[1] for pair in pairs], abs=1e-5), path.name
    return bool(pairs)
