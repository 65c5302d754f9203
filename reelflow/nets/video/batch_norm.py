"""Batch normalisation that tells its statistics apart from its result."""

from typing import Any

import keras
from keras import ops

MOMENTUM, EPSILON = 0.9, 1e-5  # of P3D's BN layer, caffe.proto


@keras.saving.register_keras_serializable(package="reelflow")
class BatchNorm(keras.layers.Layer):  # type: ignore[misc]
    """Normalises channels over batch, frames and places: `(n, h, w, channels)` to the same shape.

    As `keras.layers.BatchNormalization`, but a block that is computed again for its gradient can update the
    moving statistics once, outside of what is repeated. On TensorFlow it is one fused kernel.

    Args:
        momentum: of the moving statistics.
        epsilon: added to the variance.

    Attributes:
        synchronized: as Keras's: batch statistics are those of all workers of a `tf.distribute.Strategy`.
    """

    synchronized = False

    def __init__(self, momentum: float = MOMENTUM, epsilon: float = EPSILON, **options: Any) -> None:
        super().__init__(**options)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights of `shape[-1]` channels, in float32 whatever is computed in."""

        def weight(name: str, initial: str, *, trainable: bool = True) -> Any:
            return self.add_weight(
                name=name, shape=(shape[-1],), initializer=initial, trainable=trainable, autocast=False
            )

        self.gamma, self.beta = weight("gamma", "ones"), weight("beta", "zeros")
        self.moving_mean = weight("moving_mean", "zeros", trainable=False)
        self.moving_variance = weight("moving_variance", "ones", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalise by the batch's own statistics in training, else by the moving ones."""
        found, statistics = self.normalise(inputs, training=training)
        self.update(statistics)
        return found

    def normalise(self, inputs: Any, *, training: bool) -> tuple[Any, list[Any]]:
        """The result, and mean and variance of the batch; no statistics outside of training."""
        if training and self.synchronized:
            mean, variance = _moments_of_all(ops.cast(inputs, "float32"))
            return self._scaled(inputs, mean, variance), [mean, variance]
        if keras.backend.backend() == "tensorflow":
            return self._fused(inputs, training=training)
        if not training:
            return self._scaled(inputs, self.moving_mean, self.moving_variance), []
        mean, variance = ops.moments(ops.cast(inputs, "float32"), axes=(0, 1, 2))  # (channels,)
        return self._scaled(inputs, mean, variance), [mean, variance]

    def update(self, statistics: list[Any]) -> None:
        """Move the moving statistics towards those of a batch, if there are any."""
        for variable, value in zip((self.moving_mean, self.moving_variance), statistics, strict=False):
            variable.assign(variable * self.momentum + ops.stop_gradient(value) * (1 - self.momentum))

    def _scaled(self, inputs: Any, mean: Any, variance: Any) -> Any:
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        shift = self.beta - mean * scale
        return inputs * ops.cast(scale, inputs.dtype) + ops.cast(shift, inputs.dtype)

    def _fused(self, inputs: Any, *, training: bool) -> tuple[Any, list[Any]]:
        """On TensorFlow: one kernel, which the ReLU behind it joins."""
        import tensorflow as tf

        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        moving = {} if training else {"mean": self.moving_mean, "variance": self.moving_variance}
        moving = {name: tf.convert_to_tensor(value) for name, value in moving.items()}
        found, mean, unbiased = tf.compat.v1.nn.fused_batch_norm(
            inputs, gamma, beta, epsilon=self.epsilon, is_training=training, **moving
        )
        if not training:
            return found, []
        count = tf.cast(tf.size(inputs) / inputs.shape[-1], tf.float32)
        return found, [mean, unbiased * (count - 1) / count]

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


def _moments_of_all(values: Any) -> tuple[Any, Any]:
    """Mean and variance a channel, of the parts of all workers together; by one sum over the workers.

    As Keras's synchronised batch norm, which sums three times and writes the values twice more.
    """
    import tensorflow as tf

    count = tf.cast(tf.size(values) / values.shape[-1], tf.float32)
    sums = [tf.reduce_sum(values, (0, 1, 2)), tf.reduce_sum(tf.square(values), (0, 1, 2)), count]
    total, squares, clips = tf.distribute.get_replica_context().all_reduce("SUM", sums)
    mean = total / clips
    return mean, tf.maximum(squares / clips - tf.square(mean), 0)
