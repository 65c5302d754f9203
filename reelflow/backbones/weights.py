"""Finds weights of a backbone: a file, a folder of files, or a pinned download; and writes them.

Missing weights are an error; there is no fallback.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reelflow.backbones.download import fetch
from reelflow.backbones.weight_file import WeightFile, check
from reelflow.errors import WeightsError
from reelflow.files import atomic
from reelflow.settings import Settings

if TYPE_CHECKING:
    import keras

KEYWORDS = ("imagenet", "random")


def find_weights(weights: str, published: WeightFile, settings: Settings, others: Sequence[str] = ()) -> Path:
    """Find the file of weights that a parameter refers to.

    Args:
        weights: `imagenet` for the published file; a file; or its folder.
        published: the published file. A file of its name must have its content; a file of another
            name is the user's own and is not checked.
        settings: with the cache of downloads, and a mirror.
        others: further names to look for in a folder.

    Raises:
        WeightsError: missing, altered, or not reachable.
    """
    if weights == "imagenet":
        return fetch(published, settings)
    if weights == "random":
        raise WeightsError(
            f"this backbone has no random weights; expected {published.name}: "
            "set features.weights to imagenet, or to the file or its folder"
        )
    path = _in_folder(Path(weights), (published.name, *others)) if Path(weights).is_dir() else Path(weights)
    if not path.is_file():
        raise WeightsError(
            f"there is no file or folder {weights}; expected {published.name} or its folder "
            f"(features.weights), available at {published.url}"
        )
    if path.name == published.name:
        check(path, published)
    return path


def save_keras_weights(network: "keras.Model", path: Path) -> None:
    """Write Keras's file of weights, `.weights.h5`; the same weights give the same bytes.

    Raises:
        StorageError: the disk is full or read-only.
    """
    with tempfile.TemporaryDirectory() as folder, atomic(path) as partial:
        named = Path(folder, "by_keras.weights.h5")  # Keras requires this ending
        network.save_weights(named)
        _copy_without_attributes(named, partial)


def _copy_without_attributes(source: Path, target: Path) -> None:
    """Copy an HDF5 file without attributes: they have layer names, which differ between processes."""
    import h5py  # type: ignore[import-untyped]

    with h5py.File(source) as old, h5py.File(target, "w") as new:

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                new.create_dataset(name, data=item[()])
            else:
                new.create_group(name)

        old.visititems(copy)


def _in_folder(folder: Path, names: Sequence[str]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise WeightsError(f"the folder {folder} holds no {' or '.join(names)}: put it there, or name another")
