"""The epochs of a training, each decided by the seed and its number alone."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.training.checkpoint import Arrays, Checkpoints, State
from components.training.history import Figures, History
from reelflow.errors import ParamsError
from reelflow.nets.examples import Examples
from reelflow.nets.runtime import reseed
from reelflow.params import TrainingParams
from reelflow.progress import emit, report


def compile_for_training(network: Any, params: TrainingParams) -> None:
    """The study's loss and optimiser: cross-entropy, Adam with lr / (1 + decay * step)."""
    import keras

    rate = keras.optimizers.schedules.InverseTimeDecay(params.learning_rate, 1, params.decay)
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss="sparse_categorical_crossentropy",  # of class indices, the same as of one-hot rows
        metrics=["accuracy"],
        jit_compile=False,  # Keras cannot compile its recurrent layers with XLA
    )
    network.optimizer.build(network.trainable_variables)


def fit(
    network: Any, train: Examples, validation: Examples, params: TrainingParams, checkpoints: Checkpoints
) -> tuple[History, Arrays]:
    """Train until the validation loss stalls, from the newest checkpoint if there is one.

    Returns:
        The figures of every epoch, and the weights after the best one.

    Raises:
        ParamsError: the loss is no number any more.
    """
    history, best = _restore(network, checkpoints)
    report(history.epochs, params.epochs, "epochs")
    while history.epochs < params.epochs and not history.is_stalled(params.patience):
        epoch = history.epochs + 1
        figures = _epoch(network, train, validation, params, epoch)
        history.rows.append(figures)
        if history.best_epoch == epoch:
            best = network.get_weights()
        if checkpoints.due:
            checkpoints.save(State(history, [variable.numpy() for variable in _variables(network)], best))
        emit("epoch", head=network.name, epoch=epoch, **figures)
        report(epoch, params.epochs, "epochs")
    report(history.epochs, history.epochs, "epochs")
    return history, best


def _epoch(
    network: Any, train: Examples, validation: Examples, params: TrainingParams, epoch: int
) -> Figures:
    reseed(network, params.seed, epoch)
    order = np.random.default_rng((params.seed, epoch)).permutation(len(train.clip_ids))
    trained = _pass(network.train_on_batch, train, train.batches(params.batch_size, order))
    validated = _pass(network.test_on_batch, validation, validation.batches(params.batch_size))
    if not all(map(math.isfinite, (trained["loss"], validated["loss"]))):
        raise ParamsError(
            f"the loss is no number any more after epoch {epoch}: lower training.learning_rate, "
            f"now {params.learning_rate}"
        )
    return {
        "train_loss": trained["loss"],
        "train_accuracy": trained["accuracy"],
        "validation_loss": validated["loss"],
        "validation_accuracy": validated["accuracy"],
    }


def _pass(on_batch: Any, examples: Examples, batches: list[NDArray[np.int64]]) -> Figures:
    """Run over all batches; the means of their figures, a clip counting the same in each."""
    sums = {"loss": 0.0, "accuracy": 0.0}
    for rows in batches:
        figures = on_batch(examples.features(rows), examples.truth[rows], return_dict=True)
        for name in sums:
            sums[name] += float(figures[name]) * len(rows)
    clips = sum(map(len, batches))
    return {name: total / clips for name, total in sums.items()}


def _variables(network: Any) -> list[Any]:
    return [*network.weights, *network.optimizer.variables]


def _restore(network: Any, checkpoints: Checkpoints) -> tuple[History, Arrays]:
    state = checkpoints.newest()
    if state is None:
        return History(), network.get_weights()
    for variable, value in zip(_variables(network), state.variables, strict=True):
        variable.assign(value)
    emit("notice", message=f"going on after epoch {state.history.epochs}")
    return state.history, state.best
