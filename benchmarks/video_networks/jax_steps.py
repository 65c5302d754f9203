"""Training and inference of a network under JAX, with clips as uint8 on the device."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from numpy.typing import NDArray

RATE = 1e-4  # of RMSprop, study B


class JaxTrainer:
    """Trains a network by study B's recipe: RMSprop, cross-entropy, no augmentation.

    Args:
        network: from `reelflow.nets.video.network.build_network`.
        rate: learning rate.
        norm: largest norm of all gradients; None for any.
    """

    def __init__(self, network: "keras.Model", rate: float = RATE, norm: float | None = None) -> None:
        self.network = network
        self._optimizer = keras.optimizers.RMSprop(rate, global_clipnorm=norm)
        self._optimizer.build(network.trainable_variables)
        self._initial = self._values()
        self.reset()

        def loss(trainable: Any, fixed: Any, clips: Any, truth: Any) -> tuple[Any, Any]:
            scores, fixed = network.stateless_call(trainable, fixed, as_features(clips), training=True)
            return keras.losses.sparse_categorical_crossentropy(truth, scores).mean(), fixed

        def step(state: Any, clips: Any, truth: Any) -> tuple[Any, Any]:
            trainable, fixed, optimizer = state
            (value, fixed), slopes = jax.value_and_grad(loss, has_aux=True)(trainable, fixed, clips, truth)
            trainable, optimizer = self._optimizer.stateless_apply(optimizer, slopes, trainable)
            return (trainable, fixed, optimizer), value

        self.step: Callable[..., Any] = jax.jit(step, donate_argnums=0)
        self._score = jax.jit(lambda trainable, fixed, clips: self._scores(trainable, fixed, clips))

    def reset(self) -> None:
        """Start again from the first weights."""
        self.state = jax.tree.map(jnp.copy, self._initial)

    def train(self, clips: Any, truth: Any) -> Any:
        """One step on `(batch, frames, side * side * 3) uint8` and `(batch,)`; returns the loss."""
        self.state, value = self.step(self.state, clips, truth)
        return value

    def scores(self, clips: Any) -> Any:
        """Scores `(batch, classes)`, not waited for."""
        trainable, fixed, _ = self.state
        return self._score(trainable, fixed, clips)

    def _scores(self, trainable: Any, fixed: Any, clips: Any) -> Any:
        return self.network.stateless_call(trainable, fixed, as_features(clips), training=False)[0]

    def _values(self) -> Any:
        parts = (self.network.trainable_variables, self.network.non_trainable_variables)
        return tuple([one.value for one in part] for part in (*parts, self._optimizer.variables))


def as_features(clips: Any) -> Any:
    """Codes of `pixels` as features: uint8 to 0 .. 1."""
    return clips.astype(jnp.float32) / 255


def random_clips(count: int, frames: int, side: int) -> NDArray[np.uint8]:
    """Clips `(count, frames, side * side * 3)` of noise."""
    return np.random.default_rng(1).integers(0, 256, (count, frames, side * side * 3), np.uint8)


def peak_bytes() -> int | None:
    """The most memory that the device has held, if it tells."""
    found = jax.devices()[0].memory_stats()
    return int(found["peak_bytes_in_use"]) if found else None
