"""Keras's weights of ResNet-50, read from HDF5 by name: nothing in it is run, no other file is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelflow.errors import WeightsError

Array = NDArray[np.float32]
Places = dict[str, dict[str, str]]
ORDER = {"conv": ("kernel", "bias"), "bn": ("gamma", "beta", "moving_mean", "moving_variance")}
"""The weights of a layer, by the end of its name, as Keras numbers them in `.weights.h5`."""
ADVICE = "expected the weights of keras.applications.ResNet50, with or without top (training.video.inflate)"


class ResNetFile:
    """The layers of a file, by Keras's names, such as `conv2_block1_1_conv` and `conv2_block1_1_bn`.

    Both of Keras's formats are read: that of the published files, and `.weights.h5`. Links to other files
    are not followed, and a weight is read only if it has the expected shape.
    """

    def __init__(self, path: Path) -> None:
        """See what the file holds.

        Raises:
            WeightsError: it is missing, or no HDF5 file.
        """
        self._path = path
        with _opened(path) as file:
            self._places = _places(file)

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
        places = self._places.get(name, {})
        for weight in shapes:
            if weight not in places:
                raise WeightsError(f"{self._path} has no {weight} of a layer {name}; {ADVICE}")
        with _opened(self._path) as file:
            return [
                self._weight(file[places[weight]], f"{weight} of {name}", shape)
                for weight, shape in shapes.items()
            ]

    def _weight(self, found: Any, what: str, shape: tuple[int, ...]) -> Array:
        if found.shape != shape:
            raise WeightsError(f"{self._path}: {what} has shape {found.shape}, expected {shape}; {ADVICE}")
        if found.dtype.kind != "f":
            raise WeightsError(f"{self._path}: {what} is {found.dtype}, expected float32; {ADVICE}")
        if found.chunks or found.external or found.is_virtual:
            raise WeightsError(
                f"{self._path}: the numbers of {what} are compressed, or in another file; expected them "
                "as Keras writes them: load the weights with Keras and save them again"
            )
        value = np.asarray(found, np.float32)
        if not np.isfinite(value).all():
            raise WeightsError(f"{self._path}: {what} has values that are not finite")
        return value


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    import h5py  # type: ignore[import-untyped]

    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
        raise WeightsError(f"{path} cannot be read as HDF5: {error}; {ADVICE}") from error


def _places(file: Any) -> Places:
    """Where the file has the weights of each layer; HDF5 visits no links to other files."""
    import h5py

    found: Places = {}

    def visit(place: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            layer, weight = _known_as(place, item)
            found.setdefault(layer, {})[weight] = place

    file.visititems(visit)
    return found


def _known_as(place: str, item: Any) -> tuple[str, str]:
    """The layer and the weight of a dataset.

    In the published files: `<layer>/<layer>/kernel:0`, below `model_weights` in a file of a whole model. In
    `.weights.h5`: `layers/conv2d_3/vars/0`, where `vars` has the layer's name as an attribute.
    """
    folder, _, last = place.rpartition("/")
    if not folder.startswith("layers/"):
        return folder.removeprefix("model_weights/").partition("/")[0], last.partition(":")[0]
    layer = str(item.parent.attrs.get("name", ""))
    numbered = {str(place): weight for place, weight in enumerate(ORDER.get(layer.rpartition("_")[2], ()))}
    return layer, numbered.get(last, last)
