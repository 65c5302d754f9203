"""Clips of every odd kind, through the whole path to features: each is used, or left out with a reason."""

import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.features import FeatureStore
from reelflow.contracts import DatasetReport, FramesReport
from tests.faults.pipeline.runs import tell
from tests.workplace import ROOT

ODD, USABLE, IGNORED = 58, 30, 1  # a sound file is counted, not refused
CLIP_LIMIT_S = 60  # of params.yaml
MEMORY_BYTES = 3_000_000_000  # of all processes together
CLASSES = ("hug", "kick")


@pytest.fixture
def clips(shared_data: Path, tmp_path: Path) -> Path:
    """The odd videos as a class of their own and among real clips, which must not suffer."""
    real = shared_data / "clips/ut_interaction"
    for label in CLASSES:
        (tmp_path / "clips" / label).mkdir(parents=True)
        for clip in sorted((real / label).iterdir())[:6]:
            (tmp_path / "clips" / label / clip.name).symlink_to(clip)
    for clip in (shared_data / "odd_videos").iterdir():
        (tmp_path / "clips" / CLASSES[0] / clip.name).symlink_to(clip)
    return tmp_path / "clips"


def peak_of(*command: str | Path) -> tuple[int, float]:
    """Run a step to its good end; returns the most memory of all its processes, and its seconds."""
    line = [sys.executable, "-m", *map(str, command)]
    peak, started = 0, time.perf_counter()
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, memory_of(psutil.Process(process.pid)))
            time.sleep(0.05)
        said = process.stderr.read() if process.stderr else ""
    assert process.returncode == 0, said
    assert "Traceback" not in said
    return peak, time.perf_counter() - started


def memory_of(process: psutil.Process) -> int:
    total = 0
    for one in (process, *process.children(recursive=True)):
        try:
            total += one.memory_info().rss
        except psutil.Error:
            continue
    return total


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("backbone", ["mobilenet_v2_quant", "thumbnail"])
def test_every_odd_video_becomes_features_or_a_reason(
    clips: Path, shared_data: Path, tmp_path: Path, backbone: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, frames, features = (tmp_path / name for name in ("dataset", "frames", "features"))
    weights = ("--weights", shared_data / "weights") if backbone == "mobilenet_v2_quant" else ()
    figures = {
        "dataset": peak_of("components.dataset", "--source", clips, "--dataset", dataset),
        "frames": peak_of("components.frames", "--dataset", dataset, "--frames", frames),
        "features": peak_of(
            *("components.features", "--backbone", backbone, "--dataset", dataset, "--frames", frames),
            *("--features", features, *weights),
        ),
    }
    found = DatasetReport.open(dataset)
    rejected = found.quarantined + FramesReport.open(frames).quarantined
    reasons = {Path(one.path).name: one.reason for one in rejected}
    used = {Path(clip.path).name for clip in read_clips(dataset)} - reasons.keys()
    odd = {path.name for path in (shared_data / "odd_videos").iterdir()}
    store = FeatureStore(features)
    assert (len(odd), len(odd & used), len(odd & reasons.keys())) == (ODD, USABLE, ODD - USABLE - IGNORED)
    assert any(f"{IGNORED} .mp3" in note for note in found.notes)
    assert len(store.clip_ids) == len(used) == USABLE + 12
    assert not [why for why in reasons.values() if why.startswith(("it took more", "its decoder"))]
    assert all(peak < MEMORY_BYTES for peak, _ in figures.values()), figures
    assert all(seconds < 10 * CLIP_LIMIT_S for _, seconds in figures.values()), figures
    counts = [f"{count:4} {why}" for why, count in Counter(reasons.values()).most_common()]
    costs = [f"{step}: {peak / 1e6:.0f} MB, {seconds:.0f} s" for step, (peak, seconds) in figures.items()]
    tell(capsys, [f"{backbone}: {len(odd & used)} became features; left out:", *counts, *costs])
