"""The end of every head: dense, batch norm, leaky ReLU, dropout, dense, softmax; or the last two alone."""

from keras import KerasTensor, layers

from reelflow.params import TrainingParams


def classify(summary: KerasTensor, classes: int, params: TrainingParams) -> KerasTensor:
    """From one vector per clip `(batch, n)` to class scores `(batch, classes)` that sum to 1."""
    hidden = layers.Dense(params.dense_units, name="dense")(summary)
    hidden = layers.BatchNormalization(name="dense_norm")(hidden)
    hidden = layers.LeakyReLU(params.leaky_slope, name="leaky_relu")(hidden)
    hidden = layers.Dropout(params.dropout, name="dropout")(hidden)
    return score(hidden, classes)


def score(summary: KerasTensor, classes: int) -> KerasTensor:
    """A linear model: from one vector per clip to class scores `(batch, classes)` that sum to 1."""
    return layers.Dense(classes, activation="softmax", name="scores")(summary)
