"""The middle frame alone: the accuracy without motion."""

from keras import KerasTensor, layers

from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:  # noqa: ARG001
    """The middle frame's feature: `(batch, frames, dim)` to `(batch, dim)`."""
    frames = features.shape[1]
    middle = frames // 2
    frame = layers.Cropping1D((middle, frames - 1 - middle), name="middle_frame")(features)
    return layers.Flatten(name="feature")(frame)  # (batch, 1, dim) -> (batch, dim)
