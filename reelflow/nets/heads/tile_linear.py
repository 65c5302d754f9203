"""A linear head for small people far away: it sees the largest change over the tiles of the picture."""

from keras import KerasTensor

from reelflow.nets.heads import segment_linear
from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams, views: int = 1) -> KerasTensor:
    """The summary of `segment_linear` over the whole clip, as one segment.

    `(batch, frames, views * dim)` to `(batch, 2 * dim)`. The views are the plain one and the tiles.
    """
    return segment_linear.summarise(features, params.model_copy(update={"segments": 1}), views)
