"""A decoder that crashes, hangs or eats memory costs its own clip, and no other clip of its shard."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from components.frames import step
from components.frames.extract import extract
from reelflow.artifacts.frames import FrameStore
from reelflow.params import FramesParams
from tests.environment import in_environment
from tests.faulty_work import FATES, extract_faultily
from tests.videos import write_dataset, write_video

run = in_environment(step.run)

LIMIT_S = 10
FRAME_BYTES = 8000 * 8000 * 3
PEAK = """
import sys
from pathlib import Path
from reelflow.video.decode import sample
sample(Path(sys.argv[1]), 12, lambda image: image.shape)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""
REASONS = {
    "hang": f"stopped after {LIMIT_S} s (the time limit)",
    "hang, deaf": f"stopped after {LIMIT_S} s (the time limit)",
    "memory": "its frames do not fit into memory",
}
PARAMS = FramesParams(count=4, oversample=1, jpeg_quality=95, shards=2, clip_timeout_s=LIMIT_S)


@pytest.mark.slow
def test_what_befalls_a_decoder_befalls_one_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.frames.step.extract", extract_faultily)
    names = [*FATES, *(f"good {number}" for number in range(20))]
    root = tmp_path / "clips"
    paths = [write_video(root / "a" / f"{name}.mp4", 6, seed=seed) for seed, name in enumerate(names)]
    write_dataset(tmp_path / "dataset", paths, root)
    (frames := tmp_path / "frames").mkdir()
    started = time.perf_counter()
    report = run(PARAMS, dataset=tmp_path / "dataset", frames=frames)
    assert time.perf_counter() - started < 60
    reasons = {Path(one.path).stem: one.reason for one in report.quarantined}
    assert not {name: reason for name, reason in reasons.items() if name not in FATES}
    assert len(FrameStore(frames).clip_ids) == 20
    assert reasons.keys() == FATES.keys()
    for name, reason in reasons.items():
        assert reason.startswith(REASONS.get(name, "its decoder crashed")), (name, reason)


def test_a_shard_that_lacks_a_clip_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "clips"
    names = ("good", "segfault")
    paths = [write_video(root / "a" / f"{name}.mp4", 4, seed=seed) for seed, name in enumerate(names)]
    write_dataset(tmp_path / "dataset", paths, root)
    kept = []
    for name, work in (("one", extract_faultily), ("another", extract)):
        (frames := tmp_path / name).mkdir()
        monkeypatch.setattr("components.frames.step.extract", work)
        run(PARAMS, dataset=tmp_path / "dataset", frames=frames)
        kept.append(len(FrameStore(frames).clip_ids))
    assert kept == [1, 2]


@pytest.mark.slow
def test_a_clip_of_huge_frames_is_held_one_frame_at_a_time(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a/huge.mp4", 12, (8000, 8000))
    done = subprocess.run([sys.executable, "-c", PEAK, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 5 * FRAME_BYTES
