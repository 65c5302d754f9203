"""Converts a Keras head to TFLite: built-in operators only, recurrent loops stay loops."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from reelflow.nets.runtime import prepare

if TYPE_CHECKING:
    import keras

Features = NDArray[np.float32]
HeadQuantization = Literal["float32", "float16", "dynamic", "int8"]


def convert_head(
    model: "keras.Model", quantization: HeadQuantization, calibration: Iterable[Features] = ()
) -> bytes:
    """Convert a head that takes `(batch, frames, dim) float32` to TFLite with a batch of 1.

    Args:
        model: a functional Keras model.
        quantization: of the weights, by int8 also of what is computed; inputs and outputs stay float32.
        calibration: features of clips, `(frames, dim)` each, that int8's ranges are measured on.
    """
    prepare()
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(_with_batch_of_one(model))
    if quantization != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantization == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantization == "int8":
        converter.representative_dataset = lambda: ([clip[None]] for clip in calibration)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    content: bytes = converter.convert()
    return content


def _with_batch_of_one(model: "keras.Model") -> "keras.Model":
    """The same model with a batch of 1; a dynamic batch size would need Flex operators."""
    import keras

    _, frames, dim = model.input_shape
    features = keras.Input((frames, dim), batch_size=1, name="features")
    single = keras.models.clone_model(model, input_tensors=features, clone_function=_for_inference)
    single.set_weights(model.get_weights())
    return single


def _for_inference(layer: Any) -> Any:
    """The layer in float32 and without dropout, whose seed would become a variable of the graph."""
    config = _no_dropout(layer.get_config())
    return type(layer).from_config(config | {"dtype": "float32"} if "dtype" in config else config)


def _no_dropout(config: Any) -> Any:
    """A layer's configuration with `dropout` 0, also in nested layers (of a bidirectional GRU)."""
    if isinstance(config, dict):
        return {name: 0.0 if name == "dropout" else _no_dropout(value) for name, value in config.items()}
    return config
