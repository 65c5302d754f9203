"""Frames of clips as a device gets them: decoded from the videos, not from the stored JPEGs."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.frames import FrameStore
from reelflow.video.decode import sample_frames


class DeviceFrames:
    """Reads frames of clips from their videos, and those of clips without a video as they are stored."""

    def __init__(self, videos: Mapping[str, Path], stored: FrameStore) -> None:
        self._videos, self._stored = videos, stored

    def read(self, clip_id: str) -> NDArray[np.uint8]:
        """RGB frames `(frames, height, width, 3)`.

        Raises:
            ClipError: the video cannot be decoded.
        """
        if video := self._videos.get(clip_id):
            return sample_frames(video, self._stored.report.count)
        return self._stored.read(clip_id)
