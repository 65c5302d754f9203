"""Study B's residual networks, from a clip's pixels to class scores.

Frames lie in the batch axis, `(batch * frames, height, width, channels)`, so that a 1xkxk convolution is one
of two dimensions, and a temporal pool a maximum of neighbours: kernels that every runtime has, and fast.
"""

from itertools import cycle
from typing import Any

import keras
from keras import layers, ops

from reelflow.nets.video.batch_norm import BatchNorm
from reelflow.nets.video.bottleneck import FORMS, Bottleneck
from reelflow.nets.video.design import FLAT, STAGE_CHANNELS, STEM, Design

RGB = 3


def build_network(
    design: Design,
    *,
    name: str,
    frames: int,
    side: int,
    classes: int,
    dropout: float,
    precision: str = "float32",
) -> "keras.Model":
    """Build an untrained network, `(batch, frames, side * side * 3) float32` to `(batch, classes) float32`.

    It takes pixels of 0 .. 1, and gives scores that sum to 1.

    Args:
        design: blocks, temporal layers and width.
        name: of the model.
        frames: of a clip.
        side: height and width of a frame, in pixels.
        classes: number of classes.
        dropout: before the last layer.
        precision: Keras's dtype policy of all but the scores, which stay float32.

    Raises:
        ParamsError: the width leaves no channels.
    """
    pixels = keras.Input((frames, side * side * RGB), name="features")
    # (batch, frames, side * side * 3) -> (batch * frames, side, side, 3)
    seen = ops.reshape(pixels, (-1, side, side, RGB))
    seen, left = _stem(seen - 0.5, frames, design, precision)
    forms = cycle(FORMS)
    for stage, blocks in enumerate(design.stages):
        if stage:
            seen, left = _halved(seen, left, design, precision, name=f"conv{stage + 2}_pool")
        for block in range(blocks):
            seen = Bottleneck(
                design.channels(STAGE_CHANNELS[stage]),
                left,
                next(forms),
                design.temporal if stage < FLAT else "none",
                stride=2 if stage and not block else 1,
                recompute=design.recompute,
                name=f"conv{stage + 2}_{block + 1}",
                dtype=precision,
            )(seen)
    return keras.Model(pixels, _scores(seen, left, classes, dropout), name=name)


def _stem(frames_seen: Any, frames: int, design: Design, precision: str) -> tuple[Any, int]:
    """conv1 1x7x7, stride 2 in space, and pool1 2x3x3, stride 2; also the frames that are left."""
    padded = layers.ZeroPadding2D(3, name="conv1_pad", dtype=precision)(frames_seen)
    seen = layers.Conv2D(
        design.channels(STEM),
        7,
        strides=2,
        use_bias=False,
        kernel_initializer="he_normal",
        name="conv1",
        dtype=precision,
    )(padded)
    seen = layers.ReLU(name="conv1_relu", dtype=precision)(
        BatchNorm(name="conv1_norm", dtype=precision)(seen)
    )
    # Caffe's pools round up and pad behind: for an even side that is "same", for an odd one "valid"
    padding = "valid" if seen.shape[1] % 2 else "same"
    pooled = layers.MaxPooling2D(3, 2, padding=padding, name="pool1", dtype=precision)(seen)
    return _halved(pooled, frames, design, precision, name="pool1_time")


def _halved(seen: Any, frames: int, design: Design, precision: str, *, name: str) -> tuple[Any, int]:
    """The larger of each two neighbouring frames; also how many are left.

    `(batch * frames, h, w, c)` to `(batch * ceil(frames / 2), h, w, c)`. Networks without temporal
    layers keep all frames.
    """
    if frames == 1 or design.temporal == "none":
        return seen, frames
    _, height, width, channels = seen.shape
    # (batch * frames, h, w, channels) -> (batch, frames, h * w, channels)
    places = ops.reshape(seen, (-1, frames, height * width, channels))
    # a layer: JAX does not run the operation `max_pool` of a file, whose sizes are lists
    pooled = layers.MaxPooling2D((2, 1), (2, 1), padding="same", name=name, dtype=precision)(places)
    left = pooled.shape[1]
    return ops.reshape(pooled, (-1, height, width, channels)), left


def _scores(seen: Any, frames: int, classes: int, dropout: float) -> Any:
    """Mean over places and frames, dropout, dense, softmax.

    `(batch * frames, h, w, c)` to `(batch, classes) float32`.
    """
    _, height, width, channels = seen.shape
    places = ops.reshape(ops.cast(seen, "float32"), (-1, frames * height * width, channels))
    mean = layers.Dropout(dropout, name="dropout")(ops.mean(places, axis=1))
    return layers.Dense(classes, activation="softmax", name="scores")(mean)
