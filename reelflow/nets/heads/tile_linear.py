"""A linear head for small people far away: it sees how the parts of the picture change that change most.

The parts are windows of the backbone's map, or tiles.
"""

from keras import KerasTensor, ops

from reelflow.nets.heads.motion import differences
from reelflow.nets.heads.standardise import standardised
from reelflow.nets.heads.views import apart, roots
from reelflow.params import TrainingParams

LEAST = 1e-6  # keeps the weights of a still picture equal


def summarise(features: KerasTensor, params: TrainingParams, views: int = 1) -> KerasTensor:  # noqa: ARG001
    """The mean change of every part, weighted by the fourth power of its total, standardised.

    `(batch, frames, views * dim)` to `(batch, dim)`. The largest change in each dimension, whatever the part,
    is less accurate: docs/accuracy.md.
    """
    change = ops.mean(apart(ops.absolute(differences(roots(features))), views), axis=1)  # (batch, views, dim)
    total = ops.mean(change, axis=-1, keepdims=True) + LEAST  # (batch, views, 1)
    share = ops.square(ops.square(total / ops.max(total, axis=1, keepdims=True)))
    seen = ops.sum(change * share, axis=1) / ops.sum(share, axis=1)  # (batch, dim)
    return standardised(seen)
