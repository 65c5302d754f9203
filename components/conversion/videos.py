"""Frames of clips as a device gets them: decoded from the videos, not from the stored JPEGs."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.frames import FrameStore
from reelflow.contracts import Clip, DatasetReport
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.sources.cache import ClipCache, SourceNote
from reelflow.video.decode import sample_frames

MAX_VIDEOS = 100


def find_videos(dataset: Path, clip_ids: Iterable[str], settings: Settings) -> dict[str, Path]:
    """The unchanged videos, on this machine, of the first `MAX_VIDEOS` clips by id; nothing is fetched."""
    wanted = set(sorted(clip_ids)[:MAX_VIDEOS])
    clips = [clip for clip in read_clips(dataset) if clip.clip_id in wanted]
    source = DatasetReport.open(dataset)
    fetched = ClipCache(settings.clips).find(SourceNote.on(source), [clip.path for clip in clips])
    root = fetched or source.clips_root(dataset)
    return {clip.clip_id: root / clip.path for clip in clips if _is_there(root / clip.path, clip)}


def _is_there(path: Path, clip: Clip) -> bool:
    try:
        return path.stat().st_size == clip.size_bytes and sha256_file(path) == clip.sha256
    except OSError:
        return False


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
