"""One block of temporal self-attention: every frame looks at all frames.

The projection's bias has a row a frame: that is the learned position. Frames whose feature is all
zeros are no frames (padding) and masked: none looks at them, and they do not count in the mean.

Built of operations, because `keras.layers.MultiHeadAttention` counts its inner layers' names through
the process, so that files of one model differ.
"""

import math

from keras import KerasTensor, layers, ops

from reelflow.params import TrainingParams

UNITS, LOOKS = 128, 4  # by default; attention heads
FAR = -1e9  # a match that softmax turns into 0


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:
    """The mean over the frames after attention, `(batch, frames, dim)` to `(batch, units)`."""
    frames, units = int(features.shape[1]), params.units or UNITS
    present = ops.any(ops.not_equal(features, 0.0), axis=-1)  # (batch, frames)
    kept = layers.SpatialDropout1D(params.input_dropout, name="input_dropout")(features)
    placed = layers.EinsumDense(
        "btd,du->btu",
        output_shape=(frames, units),
        bias_axes="tu",
        bias_initializer="random_normal",
        name="projection_and_position",
    )(kept)
    placed = layers.LayerNormalization(name="projection_norm")(placed)
    mixed = layers.LayerNormalization(name="attention_norm")(placed + _attend(placed, present))
    return _masked_mean(mixed, present)


def _attend(frames: KerasTensor, present: KerasTensor) -> KerasTensor:
    """For every frame a mixture of those present, `(batch, frames, units)`."""
    _, count, units = frames.shape
    size = max(1, units // LOOKS)

    def project(name: str) -> KerasTensor:  # (batch, frames, units) -> (batch, looks, frames, size)
        shape = (LOOKS, count, size)
        return layers.EinsumDense("btu,ulk->bltk", output_shape=shape, bias_axes="lk", name=name)(frames)

    query, key, mixed = project("query"), project("key"), project("value")
    if count > 1:
        match = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / math.sqrt(size)
        seen = ops.reshape(present, (-1, 1, 1, count))  # (batch, 1, 1, frames)
        mixed = ops.matmul(ops.softmax(ops.where(seen, match, FAR)), mixed)  # (batch, looks, frames, size)
    return layers.EinsumDense("bltk,lku->btu", output_shape=(count, units), bias_axes="u", name="mix")(mixed)


def _masked_mean(frames: KerasTensor, present: KerasTensor) -> KerasTensor:
    """`(batch, frames, units)` and `(batch, frames) bool` to `(batch, units)`; zeros if none is present."""
    weight = ops.expand_dims(ops.cast(present, "float32"), -1)  # (batch, frames, 1)
    return ops.sum(frames * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1.0)
