"""A recurrent head that reads the frames in both directions."""

from keras import KerasTensor, layers

from reelflow.nets.heads.motion import frame_dim
from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:
    """The last outputs of two GRUs over `(batch, frames, dim)`, normalised: `(batch, 2 * units)`.

    By default each has half as many units as the feature has dimensions, so that the summary is as
    long as that of `gru`.
    """
    units = params.units or max(1, frame_dim(features, params) // 2)
    reader = layers.GRU(units, dropout=params.input_dropout, name="gru")
    last = layers.Bidirectional(reader, name="bigru")(features)
    return layers.BatchNormalization(name="bigru_norm")(last)
