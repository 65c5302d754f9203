"""Feature maps of the frozen part of a network, computed once for the training of the rest."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.frames import FrameStore
from reelflow.backbones.keras_application import KerasBackbone
from reelflow.progress import report as report_progress
from reelflow.video.preprocess import preprocess

Maps = NDArray[np.float16]
MOST_FRAMES = 8  # a clip; more are nearly the same again
MOST_BYTES = 4 * 2**30  # of all maps
CLIPS_AT_ONCE = 32


def write_maps(first: KerasBackbone, store: FrameStore, clip_ids: Sequence[str], path: Path) -> Maps:
    """Compute the feature maps of evenly spread frames, as many per clip as the limits allow.

    Args:
        first: the frozen part.
        store: the frames.
        clip_ids: the clips.
        path: a file for the maps.

    Returns:
        `(clips, frames, height, width, channels) float16`, mapped from the file.

    Raises:
        BundleError: frames are damaged.
        StorageError: the disk is full or read-only.
    """
    how, total = first.spec.preprocessing, len(clip_ids)
    shape = first.embed(np.zeros((1, how.height, how.width, 3), np.uint8)).shape[1:]
    count = _frames_a_clip(store.report.count, total, map_bytes=2 * int(np.prod(shape)))

    def maps_of(clip_id: str) -> Maps:
        return first.embed(preprocess(store.read(clip_id, count=count), how))

    with path.open("wb") as file, ThreadPoolExecutor(2) as pool:
        for start in range(0, total, CLIPS_AT_ONCE):
            report_progress(start, total, "clips to fine-tune with")
            for maps in pool.map(maps_of, clip_ids[start : start + CLIPS_AT_ONCE]):
                file.write(maps.tobytes())
    report_progress(total, total, "clips to fine-tune with")
    return np.memmap(path, np.float16, "r", shape=(total, count, *shape))


def _frames_a_clip(kept: int, clips: int, *, map_bytes: int) -> int:
    return max(1, min(kept, MOST_FRAMES, MOST_BYTES // (clips * map_bytes)))
