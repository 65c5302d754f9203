"""From RGB frames to a backbone's input: the same code trains and serves."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.contracts import Preprocessing
from reelflow.video.resize import resize


def preprocess(frames: NDArray[np.uint8], how: Preprocessing) -> NDArray[np.uint8]:
    """Cut out the middle where `how.centre` says so, resize, then take the colour.

    Args:
        frames: `(n, h, w, 3) uint8`, RGB.
        how: the backbone's preprocessing.

    Returns:
        `(n, height, width, channels) uint8`; one channel if grey, else three.
    """
    channels = 1 if how.color == "grey" else 3
    ready = np.empty((len(frames), how.height, how.width, channels), np.uint8)
    for place, frame in enumerate(frames if how.centre is None else centre_square(frames, how.centre)):
        resized = resize(frame, how.height, how.width)
        ready[place] = _to_grey(resized) if how.color == "grey" else resized
    return ready


def centre_square(frames: NDArray[np.uint8], fraction: float) -> NDArray[np.uint8]:
    """Cut a square out of the middle of every frame.

    With `side = max(1, round(fraction * min(h, w)))` it has the rows from `(h - side) // 2` on and the
    columns from `(w - side) // 2` on: where an odd number of rows is cut off, one more is cut off at the
    bottom, and likewise at the right. Of 240 x 320 pixels and 0.8 these are rows 24 .. 215 and columns
    64 .. 255.

    Args:
        frames: `(n, h, w, 3) uint8`, of any size from one pixel on.
        fraction: side of the square, over 0 and at most 1, of the shorter of `h` and `w`.

    Returns:
        `(n, side, side, 3) uint8`, a view of the frames.
    """
    _, height, width, _ = frames.shape
    side = max(1, round(fraction * min(height, width)))
    top, left = (height - side) // 2, (width - side) // 2
    return frames[:, top : top + side, left : left + side]


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
