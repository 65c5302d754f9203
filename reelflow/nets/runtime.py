"""Keras on TensorFlow: quiet, and the same numbers every time."""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

from reelflow.workers.stderr import silenced_stderr

if TYPE_CHECKING:
    import keras


def prepare() -> None:
    """Import Keras on its TensorFlow backend without the lines that it prints on start-up.

    Call it before any `import keras`. `TF_CPP_MIN_LOG_LEVEL` alone leaves the lines about oneDNN,
    which come before TensorFlow's logging is set up.
    """
    if "keras" in sys.modules:
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced_stderr():
        import_module("keras")


def seed_everything(seed: int) -> None:
    """Fix every source of randomness: initial weights, dropout, order of parallel sums."""
    prepare()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def reseed(model: "keras.Model", *seed: int) -> None:
    """Put every dropout generator of a model into a state that depends on `seed` alone."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    values = np.random.default_rng(seed).integers(2**31, size=(len(states), 2))
    for state, value in zip(states, values, strict=True):
        state.assign(value)


def set_apart(model: "keras.Model", rank: int) -> None:
    """Give every dropout generator the stream of a worker; that of worker 0 is what it has.

    A generator's state is its key and a counter; the counter stays.
    """
    for variable in model.variables:
        if rank and variable.name == "seed_generator_state":
            key, counter = variable.numpy().tolist()
            variable.assign([(key + rank) % 2**31, counter])
