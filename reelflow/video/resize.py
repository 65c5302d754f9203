"""Antialiased bilinear resizing, the same bits everywhere.

Resizing is part of what a feature means, so it has one definition: Pillow's `BILINEAR` along the
width, then along the height, each rounded to uint8. That is what one call gave in every Pillow
before 13; since then one call takes the height first for some tall frames and gives other bits.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
    picture = Image.fromarray(np.ascontiguousarray(frame))
    columns = picture.resize((width, len(frame)), Image.Resampling.BILINEAR)
    return np.asarray(columns.resize((width, height), Image.Resampling.BILINEAR))
