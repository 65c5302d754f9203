"""Heads: from a clip's features to class scores. One file each; this is the registry.

A head's module has `summarise(features, params)`, from the features of all frames
`(batch, frames, dim) float32` to one vector a clip `(batch, anything)`. The classifier behind it is
the same for all. Importing this module does not import TensorFlow.
"""

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from reelflow.errors import ParamsError
from reelflow.nets.runtime import prepare
from reelflow.params import TrainingParams

if TYPE_CHECKING:
    import keras

HEADS: Mapping[str, str] = {
    "gru": "reelflow.nets.heads.gru",
    "lstm": "reelflow.nets.heads.lstm",
    "single_frame": "reelflow.nets.heads.single_frame",
}


def check_heads(names: Iterable[str]) -> None:
    """See that every name is a head's.

    Raises:
        ParamsError: one is not.
    """
    unknown = sorted(set(names) - set(HEADS))
    if unknown:
        raise ParamsError(f"unknown head {', '.join(unknown)}; known heads are {', '.join(HEADS)}")


def build_head(name: str, *, frames: int, dim: int, classes: int, params: TrainingParams) -> "keras.Model":
    """Build an untrained head, `(batch, frames, dim) float32` to `(batch, classes) float32` softmax.

    Raises:
        ParamsError: there is no head of this name.
    """
    check_heads([name])
    prepare()
    import keras

    from reelflow.nets.heads.classifier import classify

    features = keras.Input((frames, dim), name="features")
    summary = import_module(HEADS[name]).summarise(features, params)
    return keras.Model(features, classify(summary, classes, params), name=name)
