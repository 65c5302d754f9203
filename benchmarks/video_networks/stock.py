"""The same networks from Keras's own layers: Conv3D, MaxPooling3D, BatchNormalization, ConvLSTM2D."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import keras
from keras import layers

from reelflow.nets.video.design import EXPANSION, FLAT, STAGE_CHANNELS, STEM, Design


def stock_network(
    design: Design, *, frames: int, side: int, classes: int, pools_3d: bool = True
) -> "keras.Model":
    """`(batch, frames, side, side, 3) float32`, 0 .. 1, to scores `(batch, classes)`.

    No device has a kernel of MaxPooling3D: without `pools_3d` its pools are of two dimensions each.
    """
    pool = layers.MaxPooling3D if pools_3d else _flat_pool
    pixels = keras.Input((frames, side, side, 3))
    seen = layers.ZeroPadding3D((0, 3, 3))(pixels - 0.5)
    seen = layers.Conv3D(design.channels(STEM), (1, 7, 7), strides=(1, 2, 2), use_bias=False)(seen)
    seen = layers.ReLU()(_norm(seen))
    padding = "valid" if seen.shape[2] % 2 else "same"
    seen = pool((2, 3, 3), (2, 2, 2), padding=padding)(seen)
    forms = cycle("ABC")
    for stage, blocks in enumerate(design.stages):
        if stage and seen.shape[1] > 1:
            seen = pool((2, 1, 1), (2, 1, 1), padding="same")(seen)
        for block in range(blocks):
            temporal = design.temporal if stage < FLAT else "none"
            stride = 2 if stage and not block else 1
            seen = _block(seen, design.channels(STAGE_CHANNELS[stage]), next(forms), temporal, stride)
    mean = layers.Dropout(0.5)(layers.GlobalAveragePooling3D()(seen))
    return keras.Model(pixels, layers.Dense(classes, activation="softmax")(mean))


def _flat_pool(size: Any, strides: Any, padding: str) -> Callable[[Any], Any]:
    def pool(seen: Any) -> Any:
        frames, *_, channels = seen.shape[1:]
        if size[1:] != (1, 1):
            flat = layers.MaxPooling2D(size[1:], strides[1:], padding=padding)
            seen = layers.TimeDistributed(flat)(seen)
        height, width = seen.shape[2:4]
        places = layers.Reshape((frames, height * width, channels))(seen)
        places = layers.MaxPooling2D((size[0], 1), (strides[0], 1), padding="same")(places)
        return layers.Reshape((-1, height, width, channels))(places)

    return pool


def _block(inputs: Any, filters: int, form: str, temporal: str, stride: int) -> Any:
    seen = layers.ReLU()(_norm(_conv(inputs, filters, (1, 1, 1), stride)))
    space = layers.ReLU()(_norm(_conv(seen, filters, (1, 3, 3))))
    if temporal == "none":
        mixed = space
    else:
        moved = _norm(_time(seen if form == "B" else space, filters, temporal))
        mixed = layers.ReLU()(moved if form == "A" else layers.add([space, moved]))
    found = _norm(_conv(mixed, EXPANSION * filters, (1, 1, 1)))
    shortcut = inputs
    if stride > 1 or inputs.shape[-1] != EXPANSION * filters:
        shortcut = _norm(_conv(inputs, EXPANSION * filters, (1, 1, 1), stride))
    return layers.ReLU()(layers.add([found, shortcut]))


def _time(seen: Any, filters: int, temporal: str) -> Any:
    if temporal == "conv":
        return _conv(seen, filters, (3, 1, 1))
    return layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True)(seen)


def _conv(seen: Any, filters: int, size: tuple[int, int, int], stride: int = 1) -> Any:
    strides = (1, stride, stride)
    return layers.Conv3D(
        filters, size, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(seen)


def _norm(seen: Any) -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(seen)
