"""Frozen CNNs that embed frames: one file each, loaded by name."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import BackboneSpec
from reelflow.errors import ParamsError

Codes = NDArray[np.uint8] | NDArray[np.float16]

BACKBONES: Mapping[str, str] = MappingProxyType(
    {
        "inception_v3": "reelflow.backbones.inception_v3",
        "mobilenet_v2": "reelflow.backbones.mobilenet_v2",
        "mobilenet_v2_quant": "reelflow.backbones.mobilenet_v2_quant",
        "thumbnail": "reelflow.backbones.thumbnail",
    }
)
"""The module of each backbone; it holds `load(weights: str, *, seed: int) -> Backbone`."""

NEEDS_NO_TENSORFLOW = frozenset({"mobilenet_v2_quant", "thumbnail"})


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
        """Give the network as a TFLite file of built-in operators, for one frame a call.

        Args:
            quantization: float32, float16 or int8; a network that is quantised already ignores it.
            calibration: preprocessed frames `(n, height, width, channels) uint8`, for int8.

        Returns:
            The file, or None where the codes are the preprocessed frame itself, flattened.
        """
        ...


def libraries_of(backbone: str) -> tuple[str, ...]:
    """The libraries that run a network."""
    if backbone not in NEEDS_NO_TENSORFLOW:
        return "keras", "tensorflow"
    return () if backbone == "thumbnail" else ("ai-edge-litert",)


def check_backbones(names: Iterable[str]) -> None:
    """See that every name is a backbone's.

    Raises:
        ParamsError: one is not.
    """
    unknown = sorted(set(names) - set(BACKBONES))
    if unknown:
        raise ParamsError(f"unknown backbone {', '.join(unknown)}; known ones are {', '.join(BACKBONES)}")


def load_backbone(name: str, weights: str, *, seed: int) -> Backbone:
    """Load a backbone by name.

    Args:
        name: one of `BACKBONES`.
        weights: `imagenet` (a download), `random`, a file, or a folder of files.
        seed: of random weights.

    Raises:
        ParamsError: unknown backbone.
        WeightsError: the weights are missing, altered, of another network, or not reachable.
    """
    check_backbones([name])
    backbone: Backbone = import_module(BACKBONES[name]).load(weights, seed=seed)
    return backbone
