"""Several views of a clip concatenated in one feature, `(batch, frames, views * dim)`, as a head sees them.

Where views are parts of the picture, the largest change over them keeps what happens to small people
far away; the mean over the picture hides it.
"""

from keras import KerasTensor, layers, ops

from reelflow.nets.heads.motion import differences


def roots(features: KerasTensor) -> KerasTensor:
    """Roots of the features, signs kept, so that a few strong dimensions do not dominate."""
    return ops.sign(features) * ops.sqrt(ops.absolute(features))


def apart(features: KerasTensor, views: int) -> KerasTensor:
    """`(batch, n, views * dim)` to `(batch, n, views, dim)`."""
    _, count, width = features.shape
    return ops.reshape(features, (-1, count, views, width // views))


def largest_change(features: KerasTensor, views: int) -> KerasTensor:
    """How much each frame differs from the one before, in the view where it does most.

    `(batch, frames, views * dim)` to `(batch, frames, dim)`, normalised.
    """
    change = ops.absolute(differences(roots(features)))
    return layers.BatchNormalization(momentum=0.9, name="change_norm")(ops.max(apart(change, views), axis=2))
