"""A temporal convolutional network: no output depends on later frames, so it can run on a stream.

Bai, Kolter, Koltun 2018 (arXiv:1803.01271), with one convolution a block: each doubles its dilation
until the last frame sees all.
"""

from keras import KerasTensor, layers

from reelflow.params import TrainingParams

UNITS, WIDTH = 128, 3  # by default; frames that a convolution sees


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:
    """The last frame's output, `(batch, frames, dim)` to `(batch, units)`."""
    frames, units = features.shape[1], params.units or UNITS
    hidden = layers.SpatialDropout1D(params.input_dropout, name="input_dropout")(features)
    hidden = layers.Conv1D(units, 1, name="projection")(hidden)
    for dilation in _dilations(frames):
        name = f"block_{dilation}"
        change = layers.Conv1D(units, WIDTH, padding="causal", dilation_rate=dilation, name=name)(hidden)
        change = layers.BatchNormalization(name=f"{name}_norm")(change)
        change = layers.ReLU(name=f"{name}_relu")(change)
        hidden = layers.Add(name=f"{name}_sum")([hidden, change])
    last = layers.Cropping1D((frames - 1, 0), name="last_frame")(hidden)
    return layers.Flatten(name="feature")(last)  # (batch, 1, units) -> (batch, units)


def _dilations(frames: int) -> list[int]:
    """1, 2, 4, ... until the last frame's output depends on all `frames`; at least one."""
    dilations = [1]
    while 1 + (WIDTH - 1) * sum(dilations) < frames:
        dilations.append(2 * dilations[-1])
    return dilations
