"""A network's last blocks and a softmax, trained on feature maps of single frames."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from components.features.logistic import fit_path
from components.features.maps import Maps
from reelflow.errors import ParamsError
from reelflow.measures.loss import cross_entropy
from reelflow.nets.linear import Standard
from reelflow.nets.ridge import softmax
from reelflow.params import FinetuneParams

if TYPE_CHECKING:
    import keras

Array = NDArray[np.float32]
Rows = NDArray[np.int64]
DROPOUT = 0.2
PENALTIES = (100.0, 10.0, 1.0, 0.1, 0.01)  # of the probe; strongest first
ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class TuningFrames:
    """Single frames for training and validation.

    Attributes:
        maps: `(frames, height, width, channels) float16`.
        truth: class index of each frame, `(frames,)`.
        train: rows to train on.
        validation: rows that select the epoch.
        classes: number of classes.
    """

    maps: Maps
    truth: Rows
    train: Rows
    validation: Rows
    classes: int


class Tail:
    """The last blocks, global average pooling, dropout and a softmax.

    Batch norms are frozen: a few frames of a few clips are not enough to estimate their statistics.
    """

    def __init__(
        self, blocks: "keras.Model", frames: TuningFrames, params: FinetuneParams, seed: int
    ) -> None:
        """`blocks` maps feature maps to features `(n, dim)`; it is trained in place."""
        import keras

        for layer in blocks.layers:
            layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
        self._blocks, self._frames, self._params, self._seed = blocks, frames, params, seed
        self._dense = keras.layers.Dense(frames.classes)
        logits = self._dense(keras.layers.Dropout(DROPOUT, seed=seed)(blocks.output))
        self._network = keras.Model(blocks.input, logits)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self._network.compile(keras.optimizers.Adam(params.learning_rate), loss, jit_compile=False)
        blocks.compile(jit_compile=False)

    def probe(self) -> None:
        """Fit the softmax on the original features; the validation frames select the penalty."""
        train, validation = (
            self._run(self._blocks, rows) for rows in (self._frames.train, self._frames.validation)
        )
        standard = Standard.of(train)
        truth = self._frames.truth
        found = fit_path(standard(train), truth[self._frames.train], PENALTIES, self._frames.classes)
        ready, right = standard(validation), truth[self._frames.validation]
        weights, bias = min(found, key=lambda one: cross_entropy(softmax(ready @ one[0] + one[1]), right))
        weights = weights / np.sqrt(standard.variance * np.float32(len(weights)))[:, None]  # (dim, classes)
        self._dense.set_weights([weights, bias - standard.mean @ weights])

    def epoch(self, number: int) -> float:
        """Train for one epoch; returns the mean loss.

        Raises:
            ParamsError: the loss is NaN or infinite.
        """
        rows = np.random.default_rng((self._seed, number)).permutation(self._frames.train)
        losses = [
            float(self._network.train_on_batch(self._maps(part), self._frames.truth[part])) * len(part)
            for part in _parts(rows, self._params.batch_size)
        ]
        if not math.isfinite(sum(losses)):
            raise ParamsError(
                f"the loss of fine-tuning is NaN or infinite in epoch {number}: "
                f"lower features.finetune.learning_rate, now {self._params.learning_rate}"
            )
        return sum(losses) / len(rows)

    def measure(self) -> tuple[float, float]:
        """Loss and accuracy on the validation frames."""
        right = self._frames.truth[self._frames.validation]
        scores = softmax(self._run(self._network, self._frames.validation))
        return cross_entropy(scores, right), float((scores.argmax(axis=1) == right).mean())

    def weights(self) -> list[Array]:
        """A copy of the weights of the blocks, for `restore`."""
        copied: list[Array] = self._blocks.get_weights()
        return copied

    def restore(self, weights: list[Array]) -> None:
        """Restore the weights of the blocks."""
        self._blocks.set_weights(weights)

    def _maps(self, rows: Rows) -> Array:
        return self._frames.maps[rows].astype(np.float32)

    def _run(self, network: "keras.Model", rows: Rows) -> Array:
        return np.concatenate(
            [network.predict_on_batch(self._maps(part)) for part in _parts(rows, ROWS_AT_ONCE)]
        )


def _parts(rows: Rows, size: int) -> Iterator[Rows]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
