"""Antialiased bilinear resizing, the same bits everywhere.

Resizing is part of what a feature means, so it has one definition: Pillow's `BILINEAR` along the
width, then along the height, each rounded to uint8. That is what one call gave in every Pillow
before 13; since then one call takes the height first for some tall frames and gives other bits.
Where Pillow is not installed, as on a device, numpy computes the same integers after Pillow's
src/libImaging/Resample.c: a triangle filter as wide as the scale, weights in 22-bit fixed point.
"""

from functools import lru_cache
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

PRECISION_BITS = 22
HAS_PILLOW = find_spec("PIL") is not None

Pixels = NDArray[np.uint8]


def resize(frame: Pixels, height: int, width: int) -> Pixels:
    """Resize one RGB frame.

    Args:
        frame: `(h, w, 3) uint8`.
        height: wanted height, pixels.
        width: wanted width, pixels.

    Returns:
        `(height, width, 3) uint8`.
    """
    return resize_with_pillow(frame, height, width) if HAS_PILLOW else resize_with_numpy(frame, height, width)


def resize_with_pillow(frame: Pixels, height: int, width: int) -> Pixels:
    """`resize` where Pillow is installed: two to three times faster."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(frame))
    columns = picture.resize((width, len(frame)), Image.Resampling.BILINEAR)
    return np.asarray(columns.resize((width, height), Image.Resampling.BILINEAR))


def resize_with_numpy(frame: Pixels, height: int, width: int) -> Pixels:
    """`resize` where Pillow is not installed."""
    columns = _resample(frame.transpose(1, 0, 2), width)  # (w, h, 3) -> (width, h, 3)
    return _resample(columns.transpose(1, 0, 2), height)  # (h, width, 3) -> (height, width, 3)


def _resample(lines: Pixels, size: int) -> Pixels:
    """Resample along the first axis: `(n, m, 3) -> (size, m, 3)`."""
    count, *shape = lines.shape
    if count == size:
        return lines
    flat = np.ascontiguousarray(lines).reshape(count, -1)  # (n, m * 3)
    total = np.full((size, flat.shape[1]), 1 << (PRECISION_BITS - 1), np.int32)
    part = np.empty_like(total)
    for places, weights in zip(*_taps(count, size), strict=True):
        total += np.multiply(flat[places], weights[:, None], out=part)
    total >>= PRECISION_BITS
    return total.astype(np.uint8).reshape(size, *shape)  # (size, m * 3) -> (size, m, 3)


@lru_cache(maxsize=64)
def _taps(count: int, size: int) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Input lines and their fixed-point weights for each output line, both `(taps, size)`."""
    scale = count / size
    support = max(scale, 1.0)
    centres = (np.arange(size) + 0.5) * scale
    first = np.maximum((centres - support + 0.5).astype(np.intp), 0)
    last = np.minimum((centres + support + 0.5).astype(np.intp), count)
    places = first + np.arange((last - first).max())[:, None]
    distances = np.abs((places - centres + 0.5) * (1.0 / support))
    triangle = np.where(places < last, np.maximum(1.0 - distances, 0.0), 0.0)
    norm = np.zeros(size)
    for weights in triangle:  # in Pillow's order: another order of the sum rounds otherwise
        norm += weights
    weights_fixed = (triangle / norm * (1 << PRECISION_BITS) + 0.5).astype(np.int32)
    return np.minimum(places, count - 1), weights_fixed
