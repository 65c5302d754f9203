"""The pixels of each frame, in colour: input of networks that see a clip whole, as study B's.

A centred square of 0.8 of the frame's shorter side (192 of 240 rows) is resized to 160x160, or to the size
that the name tells: `pixels_64` is 64x64.
"""

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import BackboneSpec, Preprocessing
from reelflow.errors import ParamsError
from reelflow.params import PIXELS

SIDE = 160
LEAST_SIDE, MOST_SIDE = 8, 512
CENTRE = 0.8


def is_pixels(name: str) -> bool:
    """Whether a backbone of this name gives pixels: `pixels`, or `pixels_<side>` with any number."""
    return PIXELS.fullmatch(name) is not None


def side_of(name: str) -> int:
    """Height and width of the frames, in pixels.

    Args:
        name: one for which `is_pixels` holds.

    Raises:
        ParamsError: the size is out of bounds.
    """
    found = PIXELS.fullmatch(name)
    side = int(found[1]) if found and found[1] else SIDE
    if not LEAST_SIDE <= side <= MOST_SIDE:
        raise ParamsError(
            f"{name}: found a side of {side} pixels, expected {LEAST_SIDE} to {MOST_SIDE}: "
            "choose another number in features.backbones"
        )
    return side


class Pixels:
    """The preprocessed frame is the feature.

    Attributes:
        spec: its input and output.
    """

    def __init__(self, name: str) -> None:
        """Load it; it has no weights.

        Raises:
            ParamsError: the name tells a size out of bounds.
        """
        side = side_of(name)
        self.spec = BackboneSpec(
            name=name,
            preprocessing=Preprocessing(
                height=side, width=side, color="rgb", centre=CENTRE, resize="pil-bilinear", value_range=None
            ),
            dim=side * side * 3,
            dtype="uint8",
            scale=1 / 255,
            weights_sha256=None,
        )

    def embed(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Flatten the frames: `(n, side, side, 3)` to `(n, side * side * 3)`."""
        return frames.reshape(len(frames), -1)

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> None:
        """There is no network."""
