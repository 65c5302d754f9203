"""The loss: cross-entropy with the labels and with the teacher's scores."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reelflow.measures.loss import cross_entropy
from reelflow.measures.scaling import LEAST_SCORE, scale_scores
from reelflow.nets.examples import Rows
from reelflow.params import TrainingParams

Scores = NDArray[np.float32]
Loss = Callable[[Any, Any], Any]


def build_optimizer(params: TrainingParams) -> Any:
    """Adam (study A) or RMSprop (study B), with lr / (1 + decay * step).

    Weight decay is decoupled, as AdamW's; biases and norms do not decay. In float16 the loss is scaled,
    so that small gradients do not vanish.
    """
    import keras

    rate = keras.optimizers.schedules.InverseTimeDecay(params.learning_rate, 1, params.decay)
    kind = {"adam": keras.optimizers.Adam, "rmsprop": keras.optimizers.RMSprop}[params.optimizer]
    optimizer = kind(
        rate,
        weight_decay=params.weight_decay or None,
        global_clipnorm=params.gradient_norm or None,
    )
    if params.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    if params.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def distributions(truth: Rows, classes: int, params: TrainingParams, teacher: Scores | None) -> Scores:
    """Targets `(n, 2 * classes)`: smoothed labels, then the teacher's softened scores or zeros.

    Args:
        truth: class index of each clip, `(n,)`.
        classes: number of classes.
        params: smoothing and temperature.
        teacher: scores `(n, classes)`, if there is one.
    """
    labels = np.eye(classes, dtype=np.float32)[truth]
    labels = labels * (1 - params.label_smoothing) + params.label_smoothing / classes
    soft = np.zeros_like(labels) if teacher is None else scale_scores(teacher, params.teacher_temperature)
    return np.concatenate([labels, soft], axis=1).astype(np.float32)


def measure(scores: Scores, truth: Rows) -> tuple[float, float]:
    """Cross-entropy with the labels, and accuracy, of `(n, classes)` scores."""
    return cross_entropy(scores, truth), float((scores.argmax(axis=1) == truth).mean())


def loss_of(params: TrainingParams, *, is_taught: bool) -> Loss:
    """Cross-entropy with the labels, plus a part with the softened scores of the teacher, if any.

    That part is multiplied by T^2, so that the size of its gradient does not depend on the
    temperature T (Hinton, Vinyals and Dean 2015).

    Returns:
        From targets `(n, 2 * classes)`, as `distributions` makes them, and scores `(n, classes)`
        to losses `(n,)`.
    """
    from keras import losses, ops

    weight, temperature = params.teacher_weight, params.teacher_temperature

    def loss(targets: Any, scores: Any) -> Any:
        labels, soft = _halves(targets, scores)
        hard = losses.categorical_crossentropy(labels, scores)
        if not is_taught:
            return hard
        logs = ops.log(ops.maximum(scores, LEAST_SCORE)) / temperature
        return (1 - weight) * hard - weight * temperature**2 * ops.sum(soft * ops.log_softmax(logs), axis=-1)

    return loss


def is_right(targets: Any, scores: Any) -> Any:
    """1 where the label has the best score, else 0: `(n,) float32`."""
    from keras import ops

    labels, _ = _halves(targets, scores)
    return ops.cast(ops.argmax(labels, axis=-1) == ops.argmax(scores, axis=-1), "float32")


def _halves(targets: Any, scores: Any) -> tuple[Any, Any]:
    classes = scores.shape[-1]
    return targets[:, :classes], targets[:, classes:]
