"""From RGB frames to a backbone's input: the same code trains and serves."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.contracts import Preprocessing
from reelflow.video.resize import resize


def preprocess(frames: NDArray[np.uint8], how: Preprocessing) -> NDArray[np.uint8]:
    """Resize, then take the colour.

    Args:
        frames: `(n, h, w, 3) uint8`, RGB.
        how: the backbone's preprocessing.

    Returns:
        `(n, height, width, channels) uint8`; one channel if grey, else three.
    """
    channels = 1 if how.color == "grey" else 3
    ready = np.empty((len(frames), how.height, how.width, channels), np.uint8)
    for place, frame in enumerate(frames):
        resized = resize(frame, how.height, how.width)
        ready[place] = _to_grey(resized) if how.color == "grey" else resized
    return ready


def _to_grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma after ITU-R BT.601, `(h, w, 3)` to `(h, w, 1)`."""
    return np.asarray(Image.fromarray(frame).convert("L"))[..., None]


def to_input(frames: NDArray[np.uint8], how: Preprocessing) -> NDArray[np.uint8] | NDArray[np.float32]:
    """Map preprocessed frames to the numbers that the network takes.

    Args:
        frames: `(n, height, width, channels) uint8`.
        how: the backbone's preprocessing.

    Returns:
        The same shape: float32 in `how.value_range`, or unchanged frames if it is null.
    """
    if how.value_range is None:
        return frames
    low, high = how.value_range
    return frames.astype(np.float32) / np.float32(255 / (high - low)) + np.float32(low)
