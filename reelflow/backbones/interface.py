"""The interface of a backbone: a frozen CNN that embeds frames."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import BackboneSpec

Codes = NDArray[np.uint8] | NDArray[np.float16]


class Backbone(Protocol):
    """A frozen network. Thread-safe."""

    @property
    def spec(self) -> BackboneSpec:
        """Its input and output."""
        ...

    def embed(self, frames: NDArray[np.uint8]) -> Codes:
        """Embed preprocessed frames: `(n, height, width, channels) uint8` to codes `(n, dim)`."""
        ...

    def to_tflite(self, quantization: str, calibration: NDArray[np.uint8]) -> bytes | None:
        """The network as a TFLite file of built-in operators, for one frame per call.

        Args:
            quantization: float32, float16 or int8; a network that is quantised already ignores it.
            calibration: preprocessed frames `(n, height, width, channels) uint8`, for int8.

        Returns:
            The file, or None where the codes are the preprocessed frame itself, flattened.
        """
        ...
