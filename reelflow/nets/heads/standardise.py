"""What `reelflow.nets.linear` standardises, as layers."""

from keras import KerasTensor, layers, ops

from reelflow.nets.linear import FARTHEST, SUMMARY


def standardised(summary: KerasTensor) -> KerasTensor:
    """A summary `(batch, ...)`, flat, with a mean of 0 and a variance of 1, which the fit sets.

    Values far out are clipped: an outlier in one dimension must not decide, and the converter cannot merge
    the division into weights that it then quantises.
    """
    flat = layers.Flatten(name=SUMMARY)(summary)
    ready = layers.BatchNormalization(
        epsilon=1e-12, center=False, scale=False, trainable=False, name="standardise"
    )(flat)
    return ops.clip(ready, -FARTHEST, FARTHEST)
