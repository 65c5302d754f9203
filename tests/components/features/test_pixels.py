"""The features step with pixels for features: real clips, each frame decoded once, bounded memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from components.features import step
from components.frames import step as frames_step
from reelflow.artifacts.features import FeatureStore
from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.registry import load_backbone
from reelflow.contracts import FeaturesReport
from reelflow.params import FramesParams, load_params
from reelflow.settings import Settings
from reelflow.video.resize import resize
from reelflow.video.views import flip
from tests.environment import in_environment
from tests.fake_frames import write_frames
from tests.videos import write_dataset

run = in_environment(step.run)

PARAMS = load_params(Path("params.yaml")).features
COUNT = 4


def embedded(folder: Path, backbone: str, *views: str) -> FeaturesReport:
    """Features of `frames` in this folder, in `features`."""
    (folder / "features").mkdir()
    params = PARAMS.model_copy(update={"views": ("plain", *views)})
    return run(params, backbone=backbone, frames=folder / "frames", features=folder / "features")


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Bytes of every JPEG that is decoded."""
    decode, sizes = simplejpeg.decode_jpeg, []

    def counted(jpeg: bytes) -> np.ndarray:
        sizes.append(len(jpeg))
        return decode(jpeg)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", counted)
    return sizes


@pytest.fixture
def clips(shared_data: Path, tmp_path: Path) -> int:
    """Frames of real clips of 240 x 320 and of another size; how many clips there are."""
    root = shared_data / "clips"
    paths = (
        sorted((root / "ucf101").rglob("v_YoYo_g01*.avi"))[:2]
        + sorted((root / "ut_interaction").rglob("*.avi"))[:1]
    )
    write_dataset(tmp_path / "dataset", paths, root)
    (tmp_path / "frames").mkdir()
    params = FramesParams(count=COUNT, oversample=1, jpeg_quality=95, shards=2, clip_timeout_s=60)
    in_environment(frames_step.run)(params, dataset=tmp_path / "dataset", frames=tmp_path / "frames")
    return len(paths)


def test_real_clips_give_the_square_in_the_middle(clips: int, tmp_path: Path, decodings: list[int]) -> None:
    report = embedded(tmp_path, "pixels", "flip")
    assert len(decodings) == clips * COUNT, "one decoding serves both views"
    source, found = FrameStore(tmp_path / "frames"), FeatureStore(tmp_path / "features")
    assert (report.backbone.dim, report.frames, len(found.clip_ids)) == (76800, COUNT, clips)
    sizes = set()
    for clip_id in found.clip_ids:
        frames = source.read(clip_id)
        sizes.add(frames.shape[1:3])
        codes = found.gather([clip_id, clip_id], [0, 1]).reshape(2, COUNT, 160, 160, 3)
        for seen, view in zip(codes, (frames, flip(frames)), strict=True):
            side = round(0.8 * frames.shape[1])
            top, left = (frames.shape[1] - side) // 2, (frames.shape[2] - side) // 2
            square = view[:, top : top + side, left : left + side]
            np.testing.assert_array_equal(seen, np.stack([resize(frame, 160, 160) for frame in square]))
    assert (240, 320) in sizes
    assert len(sizes) == 2


def test_training_reads_pixels_and_no_jpeg(clips: int, tmp_path: Path, decodings: list[int]) -> None:
    embedded(tmp_path, "pixels_32")
    decodings.clear()
    found = FeatureStore(tmp_path / "features")
    assert found.gather(found.clip_ids * 2).shape == (2 * clips, COUNT, 32 * 32 * 3)
    assert decodings == []


def test_pixels_of_two_sizes_are_other_shards(tmp_path: Path) -> None:
    write_frames(tmp_path / "frames", 3)
    small = embedded(tmp_path, "pixels_8")
    (tmp_path / "features").rename(tmp_path / "small")
    large = embedded(tmp_path, "pixels_16")
    assert {shard.sha256 for shard in small.shards}.isdisjoint(shard.sha256 for shard in large.shards)
    assert small.backbone == load_backbone("pixels_8", "", seed=1, settings=Settings()).spec


def test_memory_holds_a_few_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """48 clips of 16 frames have 59 MB of pixels; one thread is 8 clips ahead, and 10 MB are 8 clips."""
    write_frames(tmp_path / "frames", 48, count=16)
    monkeypatch.setattr(step, "granted_cpus", lambda: 1)
    tracemalloc.start()
    try:
        embedded(tmp_path, "pixels")
        peak = tracemalloc.get_traced_memory()[1]
        assert peak < 25e6
        tracemalloc.reset_peak()
        found = FeatureStore(tmp_path / "features")
        opened = tracemalloc.get_traced_memory()[0]
        found.gather(found.clip_ids[5:7])
        assert tracemalloc.get_traced_memory()[1] - opened < 6e6, "two clips are 2.5 MB"
    finally:
        tracemalloc.stop()
