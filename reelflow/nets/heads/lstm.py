"""The study's recurrent head with LSTM cells, as many as the feature has dimensions."""

from keras import KerasTensor, layers

from reelflow.nets.heads.motion import frame_dim
from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:
    """The last output over `(batch, frames, dim)`, normalised: `(batch, units)`."""
    units = params.units or frame_dim(features, params)
    last = layers.LSTM(units, dropout=params.input_dropout, name="lstm")(features)
    return layers.BatchNormalization(name="lstm_norm")(last)
