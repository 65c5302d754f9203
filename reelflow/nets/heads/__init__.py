"""Heads: from a clip's features to class scores. One file each; this is the registry.

A head's module has `summarise(features, params)`, from the features of all frames
`(batch, frames, dim) float32` to one vector per clip `(batch, anything)`. The classifier behind it is
the same for all heads but the linear ones, which `reelflow.nets.linear` fits in closed form.
Importing this module does not import TensorFlow.
"""

import math
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from reelflow.contracts import FeaturesReport
from reelflow.errors import ParamsError
from reelflow.nets.candidates import TILED
from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import NETWORKS, chosen_design
from reelflow.params import TrainingParams
from reelflow.video.views import PLAIN, TILES

if TYPE_CHECKING:
    import keras

HEADS: Mapping[str, str] = {
    "gru": "reelflow.nets.heads.gru",
    "lstm": "reelflow.nets.heads.lstm",
    "single_frame": "reelflow.nets.heads.single_frame",
    "bigru": "reelflow.nets.heads.bigru",
    "attention": "reelflow.nets.heads.attention",
    "tcn": "reelflow.nets.heads.tcn",
    "segment_linear": "reelflow.nets.heads.segment_linear",
    "tile_linear": "reelflow.nets.heads.tile_linear",
}
LINEAR = frozenset({"segment_linear", "tile_linear"})
HEAD_NAMES = (*HEADS, *NETWORKS)


def is_linear(head: str) -> bool:
    """Whether `reelflow.nets.linear.fit_linear` fits this head, in place of epochs."""
    return head in LINEAR


def sees_side_by_side(head: str, params: TrainingParams) -> bool:
    """Whether a head sees all views of a clip at once."""
    return head in TILED or params.views == "beside"


def views_seen(head: str, params: TrainingParams, features: FeaturesReport) -> tuple[str, ...]:
    """The views that a head sees, of those in the features; the plain one is first.

    A tile alone shows too little of a clip. So only heads that see all views at once get tiles:
    `tile_linear`, and every head if `params.views` is beside.

    Raises:
        ParamsError: the head needs tiles or windows, and there are none.
    """
    names = features.views
    if head not in TILED:
        return tuple(name for name in names if params.views == "beside" or name not in TILES)
    if not TILES.keys() & set(names) and features.backbone.windows == 1:
        raise ParamsError(
            f"{head} needs parts of the picture, but {features.backbone.name} has one window and "
            f"features.views is {', '.join(names)}: choose a network with windows, or add {', '.join(TILES)}"
        )
    return tuple(name for name in names if name == PLAIN or name in TILES)


def check_heads(names: Iterable[str]) -> None:
    """See that every name is a head's.

    Raises:
        ParamsError: unknown head.
    """
    if unknown := sorted(set(names) - set(HEAD_NAMES)):
        raise ParamsError(f"unknown head {', '.join(unknown)}; known heads are {', '.join(HEAD_NAMES)}")


def build_head(
    name: str, *, frames: int, dim: int, classes: int, params: TrainingParams, views: int = 1
) -> "keras.Model":
    """Build an untrained head, `(batch, frames, views * dim) float32` to `(batch, classes) float32` softmax.

    With `params.motion` it sees, behind every feature, its difference to the frame before. Where
    several views are concatenated in a feature, it sees the largest change over them instead.

    Raises:
        ParamsError: unknown head.
    """
    check_heads([name])
    prepare()
    if name in NETWORKS:
        return _build_video_network(name, frames=frames, dim=views * dim, classes=classes, params=params)
    import keras

    from reelflow.nets.heads.classifier import classify, score
    from reelflow.nets.heads.motion import append_differences
    from reelflow.nets.heads.views import largest_change

    features = keras.Input((frames, views * dim), name="features")
    summarise = import_module(HEADS[name]).summarise
    if views > 1:
        params = params.model_copy(update={"motion": False})
    seen = append_differences(features) if params.motion else features
    if is_linear(name):
        scores = score(summarise(seen, params, views), classes)
    else:
        seen = largest_change(features, views) if views > 1 else seen
        scores = classify(summarise(seen, params), classes, params)
    model = keras.Model(features, scores, name=name)
    _name_operations(model)
    return model


def _build_video_network(
    name: str, *, frames: int, dim: int, classes: int, params: TrainingParams
) -> "keras.Model":
    from reelflow.nets.video.network import RGB, build_network

    side = math.isqrt(dim // RGB)
    if side * side * RGB != dim:
        raise ParamsError(
            f"{name} sees square colour pictures, but its features have {dim} dimensions a frame: set "
            "features.backbones to pixels, and training.views to sample or average"
        )
    model = build_network(
        chosen_design(name, params.video),
        name=name,
        frames=frames,
        side=side,
        classes=classes,
        dropout=params.dropout,
        precision=params.precision,
    )
    _name_operations(model)
    return model


def _name_operations(model: "keras.Model") -> None:
    """Name operations by their index: Keras counts per process, and saved files would differ."""
    from keras import layers

    for place, operation in enumerate(model.operations):
        if not isinstance(operation, layers.Layer):
            operation.name = f"{type(operation).__name__.lower()}_{place}"
