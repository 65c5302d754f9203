"""A 16x12 grey thumbnail of each frame: a fast default, and the baseline that a network must beat."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reelflow.backbones.interface import Backbone
from reelflow.contracts import BackboneSpec, Preprocessing

if TYPE_CHECKING:
    from reelflow.settings import Settings

SPEC = BackboneSpec(
    name="thumbnail",
    preprocessing=Preprocessing(height=12, width=16, color="grey", resize="pil-bilinear", value_range=None),
    dim=192,
    dtype="uint8",
    scale=1 / 255,
    weights_sha256=None,
)


class Thumbnail:
    """The preprocessed frame is the feature."""

    spec = SPEC

    def embed(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Flatten the frames: `(n, 12, 16, 1)` to `(n, 192)`."""
        return frames.reshape(len(frames), -1)

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> None:
        """There is no network."""


def load(weights: str, *, seed: int, settings: "Settings") -> Backbone:  # noqa: ARG001
    """Load it; it has no weights."""
    return Thumbnail()
