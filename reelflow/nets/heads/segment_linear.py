"""What a linear model needs of a clip: its parts' means and how much they change, standardised."""

import math

from keras import KerasTensor, layers, ops

from reelflow.nets.heads.motion import differences
from reelflow.nets.heads.standardise import standardised
from reelflow.nets.heads.views import apart, roots
from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams, views: int = 1) -> KerasTensor:
    """Means of frames and of absolute changes over equal time segments, standardised.

    Of views side by side, the mean of the frames counts, and the largest of the changes.
    `(batch, frames, views * dim)` to `(batch, 2 * segments * dim)`. `reelflow.nets.linear` sets what
    to standardise with.
    """
    frames = roots(features)
    change = segment_means(ops.absolute(differences(frames)), params.segments, "change")
    if params.centered:
        frames = frames - ops.mean(frames, axis=1, keepdims=True)
    means = segment_means(frames, params.segments, "frames")
    if views > 1:  # (batch, segments, views * dim) -> (batch, segments, dim)
        means, change = ops.mean(apart(means, views), axis=2), ops.max(apart(change, views), axis=2)
    return standardised(ops.concatenate([means, change], axis=-1))


def segment_means(features: KerasTensor, segments: int, name: str) -> KerasTensor:
    """Means over segments that last equally long, `(batch, frames, dim)` to `(batch, segments, dim)`.

    A frame on the border of two segments counts in both, weighted by its share.
    """
    frames = features.shape[1]
    shared = math.gcd(frames, segments)
    repeated = layers.UpSampling1D(segments // shared, name=f"{name}_repeated")(features)
    return layers.AveragePooling1D(frames // shared, name=f"{name}_means")(repeated)
