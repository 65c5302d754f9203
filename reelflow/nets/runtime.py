"""Keras on TensorFlow: quiet, and the same numbers every time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np

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
    with _silenced_stderr():
        import_module("keras")


def seed_everything(seed: int) -> None:
    """Fix every source of chance: initial weights, dropout, and the order of parallel sums."""
    prepare()
    import keras
    import tensorflow

    keras.utils.set_random_seed(seed)
    tensorflow.config.experimental.enable_op_determinism()


def reseed(model: "keras.Model", *seed: int) -> None:
    """Put every dropout generator of a model into a state that depends on `seed` alone."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    values = np.random.default_rng(seed).integers(2**31, size=(len(states), 2))
    for state, value in zip(states, values, strict=True):
        state.assign(value)


@contextmanager
def _silenced_stderr() -> Iterator[None]:
    """Drop what native code writes to the process's stderr."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
