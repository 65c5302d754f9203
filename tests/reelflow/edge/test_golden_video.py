"""The golden video tells an installation that decodes otherwise."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reelflow.edge import golden_video
from reelflow.edge.golden_video import FRAMES, VIDEO, check_decoder, golden_frames
from reelflow.errors import BundleError
from reelflow.video.decode import sample_frames


def test_this_installation_decodes_as_expected():
    check_decoder()


def test_the_golden_video_is_small_and_has_b_frames():
    assert VIDEO.stat().st_size < 5_000
    with av.open(str(VIDEO)) as container:
        kinds = {av.video.frame.PictureType(frame.pict_type).name for frame in container.decode(video=0)}
    assert kinds == {"I", "P", "B"}


def lacks_a_name(*_: object) -> None:
    raise AttributeError("'VideoFrame' object has no attribute 'rotation'")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frames: frames[[0, 2, 1, *range(3, FRAMES)]], "levels off"),
        (lambda frames: frames[..., ::-1], "levels off"),
        (lambda frames: np.clip(frames.astype(int) + 12, 0, 255), "levels off"),
        (lambda frames: frames[:, :40], "expected 0.480 s of 64 x 48"),
        (lambda frames: np.rot90(frames, axes=(1, 2)), "finds 0.480 s of 48 x 64"),
        (lacks_a_name, "no attribute 'rotation'.*install PyAV"),
    ],
)
def test_other_frames_are_refused(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray], Any], message: str
):
    monkeypatch.setattr(golden_video, "sample_frames", lambda path, count: change(sample_frames(path, count)))
    with pytest.raises(BundleError, match=message):
        check_decoder()


def test_a_video_that_is_gone_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(golden_video, "VIDEO", tmp_path / "golden.mp4")
    with pytest.raises(BundleError, match="it is missing"):
        check_decoder()


def test_frames_tell_their_number_in_every_band():
    frames = golden_frames().astype(int)
    for one in range(FRAMES):
        for other in range(one):
            assert np.abs(frames[one] - frames[other]).max(axis=(1, 2)).min() >= 15
