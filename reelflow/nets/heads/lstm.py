"""The study's recurrent head with LSTM cells, as many as the feature has dimensions."""

from keras import KerasTensor, layers

from reelflow.params import TrainingParams


def summarise(features: KerasTensor, params: TrainingParams) -> KerasTensor:
    """The last output over `(batch, frames, dim)`, normalised: `(batch, units)`."""
    units = params.units or features.shape[-1]
    last = layers.LSTM(units, dropout=params.input_dropout, name="lstm")(features)
    return layers.BatchNormalization(name="lstm_norm")(last)
