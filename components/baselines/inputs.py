"""Baseline inputs: the metadata of a clip, or a few thumbnails. No motion, no detail."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.thumbnail import SPEC
from reelflow.contracts import Clip
from reelflow.progress import track
from reelflow.video.preprocess import preprocess
from reelflow.workers.cpus import granted_cpus

BaselineInputs = NDArray[np.float64]


def metadata(clips: Sequence[Clip]) -> BaselineInputs:
    """Metadata that needs no frames, `(clips, k)`; sizes as logarithms."""
    codecs = sorted({clip.codec for clip in clips})
    rows = [
        (
            *np.log1p([clip.width, clip.height, clip.frame_count, clip.duration_s, clip.size_bytes]),
            clip.width / clip.height,
            clip.fps,
            clip.rotation,
            clip.has_audio,
            *(clip.codec == codec for codec in codecs),
        )
        for clip in clips
    ]
    return np.array(rows, np.float64)


def thumbnails(store: FrameStore, clips: Sequence[Clip], frames: int) -> BaselineInputs:
    """Grey pictures of 16x12 pixels, spread over each clip, `(clips, frames * 192)`, from 0 to 1.

    Raises:
        BundleError: a clip's frames are damaged.
    """

    def look(clip: Clip) -> NDArray[np.uint8]:
        pictures = store.read(clip.clip_id, count=frames)
        return preprocess(pictures, SPEC.preprocessing).ravel()  # (frames, 12, 16, 1) -> (k,)

    pool = ThreadPoolExecutor(granted_cpus())
    try:
        rows = track(pool.map(look, clips), len(clips), "clips")
        return np.stack(list(rows)).astype(np.float64) * SPEC.scale
    finally:
        pool.shutdown(cancel_futures=True)
