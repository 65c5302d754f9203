"""Training step and scoring of a network as TensorFlow graphs, traced once for any batch size.

Keras traces `train_on_batch` for the first batch sizes, and the last bits of a sum depend on the graph:
the result of a fold would depend on earlier folds and on where a killed training resumed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.training.learners.objective import Scores, build_optimizer, is_right, loss_of
from components.training.learners.team import ALONE, Team
from reelflow.errors import ParamsError
from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import is_video_network
from reelflow.params import TrainingParams

Scorer = Callable[[NDArray[np.float32]], Scores]


def scorer(network: Any) -> Scorer:
    """From features `(n, frames, dim) float32` to scores `(n, classes) float32`."""
    import tensorflow as tf

    def call(features: Any) -> Any:
        return network(features, training=False)

    graph = tf.function(call, input_signature=[_features(network)], autograph=False)
    return lambda features: np.asarray(graph(features))


class Stepper:
    """Training steps of the params' optimiser.

    Args:
        network: to train.
        params: optimiser and loss.
        is_taught: whether targets have a teacher's scores.
        team: the workers that share each batch.

    Attributes:
        optimizer: Keras's, built for the network.
    """

    def __init__(self, network: Any, params: TrainingParams, *, is_taught: bool, team: Team = ALONE) -> None:
        import tensorflow as tf

        self.optimizer = build_optimizer(params)
        self.optimizer.build(network.trainable_variables)
        loss = loss_of(params, is_taught=is_taught)
        unused = tf.UnconnectedGradients.ZERO  # a ConvLSTM over one frame has a kernel that it does not use

        def share(features: Any, targets: Any, clips: Any) -> list[Any]:
            """This worker's part of loss, accuracy and gradients, summed over the workers."""
            with team.one_batch(network):
                with tf.GradientTape() as tape:
                    scores = network(features, training=True)
                    value = tf.reduce_sum(loss(targets, scores)) / clips
                    scaled = self.optimizer.scale_loss(value)
                values = [variable.value for variable in network.trainable_variables]
                gradients = tape.gradient(scaled, values, unconnected_gradients=unused)
            return team.total([value, tf.reduce_sum(is_right(targets, scores)) / clips, *gradients])

        def step(features: Any, targets: Any, clips: Any) -> tuple[Any, Any]:
            value, accuracy, *gradients = team.run(share, features, targets, clips)
            self.optimizer.apply(gradients, network.trainable_variables)
            return value, accuracy

        targets = tf.TensorSpec((None, 2 * network.output_shape[-1]), tf.float32)
        signature = [_features(network), targets, tf.TensorSpec((), tf.float32)]
        self._graph = tf.function(step, input_signature=signature, autograph=False)

    @property
    def learning_rate(self) -> float:
        """Of the next step, by the schedule."""
        inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)  # of a scaled loss
        return float(inner.learning_rate)

    def __call__(
        self, features: NDArray[np.float32], targets: Scores, clips: int | None = None
    ) -> tuple[float, float]:
        """Train on one batch; returns its loss and accuracy before the step.

        Args:
            features: `(n, frames, dim)`; of a team, this worker's part of the batch.
            targets: `(n, 2 * classes)`, as `distributions` makes them.
            clips: of the whole batch, if it is larger.
        """
        loss, accuracy = self._graph(features, targets, np.float32(clips or len(features)))
        return float(loss), float(accuracy)


@contextmanager
def memory_errors(head: str, params: TrainingParams) -> Iterator[None]:
    """Turn an out-of-memory error into an error that names the values to lower.

    Raises:
        ParamsError: the training does not fit into memory.
    """
    prepare()
    from tensorflow.errors import ResourceExhaustedError

    try:
        yield
    except (MemoryError, ResourceExhaustedError) as error:
        ways = (
            f"training.batch_size, now {params.batch_size}, or set training.video.recompute to true"
            if is_video_network(head)
            else "training.units, training.dense_units, training.segments or training.batch_size"
        )
        raise ParamsError(f"the network and its batches do not fit into memory: lower {ways}") from error


def _features(network: Any) -> Any:
    import tensorflow as tf

    return tf.TensorSpec((None, *network.input_shape[1:]), tf.float32)
