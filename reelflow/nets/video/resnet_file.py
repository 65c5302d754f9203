"""Keras's weights of ResNet-50, read from HDF5 by name: nothing in the file is run."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelflow.errors import WeightsError

Array = NDArray[np.float32]
Layer = dict[str, Array]
ORDER = {"conv": ("kernel", "bias"), "bn": ("gamma", "beta", "moving_mean", "moving_variance")}
"""The weights of a layer, by the end of its name, as Keras numbers them in `.weights.h5`."""
ADVICE = "expected the weights of keras.applications.ResNet50, with or without top (training.video.inflate)"


class ResNetFile:
    """The layers of a file, by Keras's names, such as `conv2_block1_1_conv` and `conv2_block1_1_bn`.

    Both of Keras's formats are read: that of the published files, and `.weights.h5`.
    """

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            WeightsError: it is missing, or no HDF5 file.
        """
        import h5py  # type: ignore[import-untyped]

        self._path = path
        try:
            with h5py.File(path, "r") as file:
                self._layers = _numbered(file["layers"]) if "layers" in file else _named(file)
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise WeightsError(f"{path} cannot be read as HDF5: {error}; {ADVICE}") from error

    def conv(self, name: str, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Kernel of this shape, and bias, of `<name>_conv`.

        Raises:
            WeightsError: absent, or of another shape.
        """
        kernel, bias = self._weights(f"{name}_conv", {"kernel": shape, "bias": shape[-1:]})
        return kernel, bias

    def norm(self, name: str, channels: int) -> tuple[Array, Array, Array, Array]:
        """Gamma, beta, moving mean and moving variance of `<name>_bn`.

        Raises:
            WeightsError: absent, or of another shape.
        """
        gamma, beta, mean, variance = self._weights(f"{name}_bn", dict.fromkeys(ORDER["bn"], (channels,)))
        return gamma, beta, mean, variance

    def _weights(self, name: str, shapes: dict[str, tuple[int, ...]]) -> list[Array]:
        layer, found = self._layers.get(name, {}), []
        for weight, shape in shapes.items():
            value = layer.get(weight)
            if value is None:
                raise WeightsError(f"{self._path} has no {weight} of a layer {name}; {ADVICE}")
            if value.shape != shape:
                raise WeightsError(
                    f"{self._path}: {weight} of {name} has shape {value.shape}, expected {shape}; {ADVICE}"
                )
            if not np.isfinite(value).all():
                raise WeightsError(f"{self._path}: {weight} of {name} has values that are not finite")
            found.append(value)
        return found


def _named(file: Any) -> dict[str, Layer]:
    """`<layer>/<layer>/kernel:0`, below `model_weights` in a file of a whole model."""
    return {name: _datasets(group) for name, group in file.get("model_weights", file).items()}


def _datasets(group: Any) -> Layer:
    found: Layer = {}

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            found[name.rpartition("/")[2].partition(":")[0]] = np.asarray(item, np.float32)

    group.visititems(visit)
    return found


def _numbered(layers: Any) -> dict[str, Layer]:
    """`layers/conv2d_3/vars/0`, where `vars` has the layer's name as an attribute."""
    found = {}
    for group in layers.values():
        weights = group.get("vars", {})
        name = str(weights.attrs.get("name", "")) if len(weights) else ""
        order = ORDER.get(name.rpartition("_")[2], ())
        found[name] = {
            weight: np.asarray(weights[str(place)], np.float32)
            for place, weight in enumerate(order)
            if str(place) in weights
        }
    return found
