"""Segments of long videos: boundaries and labels of what was joined, in constant memory."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reelflow.contracts import Sampling
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.timeline import Timeline, make_timeline
from reelflow.errors import ClipError, ParamsError
from tests.bundles import write_clip
from tests.timelines import (
    FRAMES,
    ORDER,
    join,
    write_images,
    write_level_bundle,
    write_order_bundle,
    write_parts,
)

LABELS = ("growing", "shrinking", "shrinking", "growing", "growing", "shrinking", "growing", "shrinking")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("order")
    write_order_bundle(folder / "bundle", folder / "clips")
    return open_bundle(folder / "bundle")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Clips of scenes that the bundle has not seen."""
    return write_parts(tmp_path_factory.mktemp("parts"), LABELS, first_seed=0)


def with_values(bundle: Bundle, **changes: object) -> Classifier:
    return Classifier(Bundle(bundle.folder, bundle.report.model_copy(update=changes)))


def test_segments_are_what_was_joined(bundle: Bundle, clips: list[Path], tmp_path: Path):
    parts = join(clips, tmp_path / "long.mp4")
    found = make_timeline(Classifier(bundle), tmp_path / "long.mp4")
    assert found.duration_s == pytest.approx(parts[-1].end_s, abs=0.01)
    tolerance_s = 1.5 * found.window_s / FRAMES
    assert found.change_points_s == pytest.approx([part.start_s for part in parts[1:]], abs=tolerance_s)

    expected = [parts[0]]  # neighbours with one label are one segment
    for part in parts[1:]:
        if part.label == expected[-1].label:
            expected[-1] = type(part)(part.label, expected[-1].start_s, part.end_s)
        else:
            expected.append(part)
    assert [segment.label for segment in found.segments] == [part.label for part in expected]
    for segment, part in zip(found.segments, expected, strict=True):
        assert segment.start_s == pytest.approx(part.start_s, abs=tolerance_s)
        assert segment.end_s == pytest.approx(part.end_s, abs=tolerance_s)
        assert 0.5 < segment.score <= 1


def test_segments_cover_the_video_and_neighbours_differ(bundle: Bundle, clips: list[Path], tmp_path: Path):
    join(clips, tmp_path / "long.mp4")
    found = make_timeline(Classifier(bundle), tmp_path / "long.mp4", 1.0)
    assert (found.segments[0].start_s, found.segments[-1].end_s) == (0, found.duration_s)
    for before, after in zip(found.segments, found.segments[1:], strict=False):
        assert before.end_s == after.start_s
        assert (before.label, before.best_guess) != (after.label, after.best_guess)
    assert found.times_s == tuple(sorted(found.times_s))
    assert set(found.scores) == set(ORDER)
    assert all(len(scores) == len(found.times_s) for scores in found.scores.values())


def test_one_action_may_follow_another_without_a_cut(tmp_path: Path):
    """Ten seconds dark, a slow dawn of four seconds, ten seconds bright: nothing jumps."""
    write_level_bundle(tmp_path / "bundle")
    fade = np.clip((np.arange(24 * 15) / 15 - 10) / 4, 0, 1)
    chance = np.random.default_rng(1)
    noise = (chance.normal(0, 3, (48, 64, 3)) for _ in fade)
    images = (
        np.clip(60 + 140 * one + two, 0, 255).astype(np.uint8) for one, two in zip(fade, noise, strict=True)
    )
    write_images(images, tmp_path / "dawn.mp4", (64, 48))
    found = make_timeline(Classifier(open_bundle(tmp_path / "bundle")), tmp_path / "dawn.mp4", 2.0)
    assert found.change_points_s == ()
    assert [segment.label for segment in found.segments] == ["dark", "bright"]
    assert found.segments[0].end_s == found.segments[1].start_s == pytest.approx(12, abs=0.7)


def test_low_scores_are_unsure(bundle: Bundle, clips: list[Path], tmp_path: Path):
    join(clips, tmp_path / "long.mp4")
    sure = make_timeline(Classifier(bundle), tmp_path / "long.mp4")
    flat = make_timeline(with_values(bundle, temperature=50, reject_below=0.9), tmp_path / "long.mp4")
    assert all(segment.label is None for segment in flat.segments)
    assert [s.best_guess for s in flat.segments] == [s.best_guess for s in sure.segments]
    assert max(segment.score for segment in flat.segments) < min(segment.score for segment in sure.segments)


def test_the_same_video_gives_the_same_bytes_and_reads_back(
    bundle: Bundle, clips: list[Path], tmp_path: Path
):
    join(clips[:3], tmp_path / "long.mp4")
    one, two = (make_timeline(Classifier(bundle), tmp_path / "long.mp4").to_json() for _ in range(2))
    assert one == two
    (tmp_path / "timeline.json").write_text(one)
    assert Timeline.read(tmp_path / "timeline.json").to_json() == one


def test_a_short_video_is_one_segment_as_classify_says(bundle: Bundle, clips: list[Path]):
    classifier = with_values(bundle, sampling=Sampling(frames=FRAMES, clip_s=60, views=("plain", "flip")))
    clip = classifier.classify(clips[0])
    found = make_timeline(classifier, clips[0])
    (segment,) = found.segments
    assert (segment.label, segment.score) == (clip.label, round(clip.score, 4))
    assert (segment.start_s, segment.end_s) == (0, found.duration_s)
    assert found.change_points_s == ()


def test_a_still_picture_has_no_change(bundle: Bundle, tmp_path: Path):
    still = write_clip(tmp_path / "still.mp4", frames=1)
    with_repeats = join([still] * 60, tmp_path / "long.mp4")
    found = make_timeline(Classifier(bundle), tmp_path / "long.mp4")
    assert len(with_repeats) == 60
    assert len(found.segments) == 1
    assert found.change_points_s == ()


def test_what_cannot_be_told_is_an_error(bundle: Bundle, clips: list[Path], tmp_path: Path):
    silent = with_values(bundle, sampling=Sampling(frames=FRAMES))
    with pytest.raises(ParamsError, match="--window"):
        make_timeline(silent, clips[0])
    assert make_timeline(silent, clips[0], 2.0).window_s == 2.0
    with pytest.raises(ClipError):
        make_timeline(silent, tmp_path / "none.mp4", 2.0)
    for clip_s in (1e-9, 1e9):
        strange = with_values(bundle, sampling=Sampling(frames=FRAMES, clip_s=clip_s))
        with pytest.raises(ParamsError, match=f"clips were {re.escape(f'{clip_s:g}')} s long: name a window"):
            make_timeline(strange, clips[0])


@pytest.mark.slow
def test_memory_stays_the_same_for_twenty_times_the_video(bundle: Bundle, clips: list[Path], tmp_path: Path):
    """10,000 samples: to keep their features as float32 would cost 8 MB, to keep the frames 600 MB."""
    code = (
        "import re, sys\n"
        "from reelflow.cli import app\n"
        "app(['timeline', *sys.argv[1:], '--window', '0.8', '--threads', '1'], standalone_mode=False)\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1])\n"
    )
    peaks_kb, lines = [], []
    for times in (1, 20):
        join(clips, tmp_path / f"{times}.mp4", times)
        command = [sys.executable, "-c", code, bundle.folder, tmp_path / f"{times}.mp4"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        *segments, peak_kb = done.stdout.splitlines()
        peaks_kb.append(int(peak_kb))
        lines.append(len(segments))
    assert lines[1] > 5 * lines[0]
    assert peaks_kb[1] - peaks_kb[0] < 5_000
