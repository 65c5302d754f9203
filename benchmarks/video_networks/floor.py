"""The floor of a network: its convolutions alone, on arrays of the right shapes."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np

Call = tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]


def recorded(run: Callable[[], Any]) -> list[Call]:
    """The shapes and options of every convolution that TensorFlow computes while `run` runs eagerly."""
    import tensorflow as tf

    calls: list[Call] = []
    real = tf.nn.convolution

    def convolution(inputs: Any, kernel: Any, strides: Any, padding: Any, **options: Any) -> Any:
        calls.append((tuple(inputs.shape), tuple(kernel.shape), {"strides": strides, "padding": padding}))
        return real(inputs, kernel, strides, padding, **options)

    with patch.object(tf.nn, "convolution", convolution):
        run()
    return calls


def floor_calls(calls: list[Call]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Graphs that compute all convolutions: forward alone, and forward with both gradients."""
    import tensorflow as tf

    chance = np.random.default_rng(1)

    def array(shape: tuple[int, ...]) -> Any:
        return tf.constant(chance.normal(size=shape).astype(np.float32))

    inputs = [(array(seen), array(kernel)) for seen, kernel, _ in calls]
    outputs = [
        tf.nn.convolution(*pair, **options) for pair, (_, _, options) in zip(inputs, calls, strict=True)
    ]
    slopes = [array(tuple(output.shape)) for output in outputs]
    del outputs

    def forward(pairs: Any) -> Any:
        """A number of every result: what nobody takes is not computed."""
        return [
            tf.reduce_sum(tf.nn.convolution(*pair, **options)[0, 0, 0])
            for pair, (_, _, options) in zip(pairs, calls, strict=True)
        ]

    def backward(pairs: Any, slopes: Any) -> Any:
        found = []
        for pair, slope, (_, _, options) in zip(pairs, slopes, calls, strict=True):
            with tf.GradientTape() as tape:
                tape.watch(pair)
                output = tf.nn.convolution(*pair, **options)
            gradients = tape.gradient(output, pair, output_gradients=slope)
            found += [tf.reduce_sum(one[0, 0, 0]) for one in (output, *gradients)]
        return found

    ahead, both = tf.function(forward), tf.function(backward)
    return lambda: ahead(inputs), lambda: both(inputs, slopes)
