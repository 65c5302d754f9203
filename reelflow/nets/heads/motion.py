"""Differences between neighbouring frames."""

from keras import KerasTensor, ops

from reelflow.params import TrainingParams


def differences(features: KerasTensor) -> KerasTensor:
    """What changed since the frame before, `(batch, frames, dim)`; zeros for the first frame."""
    if features.shape[1] == 1:
        return features - features
    before = ops.concatenate([features[:, :1], features[:, :-1]], axis=1)
    return features - before


def append_differences(features: KerasTensor) -> KerasTensor:
    """Append differences to the previous frame, `(batch, frames, dim)` to `(batch, frames, 2 * dim)`."""
    return ops.concatenate([features, differences(features)], axis=-1)


def frame_dim(features: KerasTensor, params: TrainingParams) -> int:
    """Dimensions of a frame's feature, appended differences not counted."""
    return int(features.shape[-1]) // (2 if params.motion else 1)
