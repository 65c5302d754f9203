"""Parity sees what a device sees: frames of the video, where it is here and unchanged."""

from pathlib import Path

import numpy as np
import pytest

from components.conversion.videos import DeviceFrames
from components.frames.step import run as extract_frames
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.videos import find_videos
from reelflow.contracts import Clip
from reelflow.params import load_params
from reelflow.settings import Settings
from reelflow.video.decode import sample_frames
from tests.environment import in_environment
from tests.videos import write_dataset, write_video

PARAMS = load_params(Path("params.yaml")).frames


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    """Four clips of noise, as the dataset step leaves them; the frames step has run."""
    paths = [write_video(tmp_path / f"clips/a/{seed}.mp4", seed=seed) for seed in range(4)]
    found = write_dataset(tmp_path / "dataset", paths, tmp_path / "clips")
    in_environment(extract_frames)(PARAMS, dataset=tmp_path / "dataset", frames=tmp_path / "frames")
    return found


def test_frames_are_those_of_the_video_and_not_the_stored_ones(tmp_path: Path, clips: list[Clip]):
    ids = [clip.clip_id for clip in clips]
    found = find_videos(tmp_path / "dataset", ids, 100, Settings())
    assert found == {clip.clip_id: tmp_path / "clips" / clip.path for clip in clips}
    store = FrameStore(tmp_path / "frames")
    frames = DeviceFrames(found, store)
    for clip in clips:
        decoded = sample_frames(tmp_path / "clips" / clip.path, PARAMS.count)
        np.testing.assert_array_equal(frames.read(clip.clip_id), decoded)
        assert not np.array_equal(store.read(clip.clip_id), decoded), "JPEG is not without loss"


def test_stored_frames_stand_in_for_videos_that_are_gone_or_changed(tmp_path: Path, clips: list[Clip]):
    gone, changed, *kept = sorted(clips, key=lambda clip: clip.clip_id)
    (tmp_path / "clips" / gone.path).unlink()
    content = bytearray((tmp_path / "clips" / changed.path).read_bytes())
    content[-1] ^= 1
    (tmp_path / "clips" / changed.path).write_bytes(content)
    found = find_videos(tmp_path / "dataset", [clip.clip_id for clip in clips], 100, Settings())
    assert found.keys() == {clip.clip_id for clip in kept}
    store = FrameStore(tmp_path / "frames")
    stored = DeviceFrames(found, store).read(gone.clip_id)
    np.testing.assert_array_equal(stored, store.read(gone.clip_id))


def test_no_more_videos_are_looked_for_than_asked(tmp_path: Path, clips: list[Clip]):
    ids = [clip.clip_id for clip in clips]
    assert sorted(find_videos(tmp_path / "dataset", ids, 2, Settings())) == sorted(ids)[:2]
