"""One training step and one scoring of a small network, on whatever backend Keras has.

`python -m tests.reelflow.nets.video.one_step CASES.json FOLDER` runs every case in a process of its own
backend: weights and pixels are `FOLDER/<case>.npz`, the same network as a file is `FOLDER/<case>.keras`;
the results are `FOLDER/<case>.<backend>.npz`.
"""

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from reelflow.nets.video.design import Design
from reelflow.nets.video.network import build_network

Arrays = dict[str, np.ndarray]
CLASSES = 3


def build(case: dict[str, Any]) -> keras.Model:
    """A network without dropout."""
    design = Design(case["temporal"], tuple(case["stages"]), case["width"], case["recompute"])
    return build_network(
        design,
        name="network",
        frames=case["frames"],
        side=case["side"],
        classes=CLASSES,
        dropout=0.0,
        precision=case["precision"],
    )


def one_step(model: keras.Model, pixels: np.ndarray, *, as_graph: bool = True) -> Arrays:
    """Loss and scores in training mode, gradients by weight, and the moving statistics afterwards."""
    run = {"tensorflow": _on_tensorflow, "jax": _on_jax}[keras.backend.backend()]
    loss, scores, gradients, moved = run(model, pixels, as_graph)
    found = {"loss": loss, "training_scores": scores}
    found |= {w.path: value for w, value in zip(model.trainable_weights, gradients, strict=True)}
    found |= {w.path: value for w, value in zip(model.non_trainable_weights, moved, strict=True)}
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


def _loss(scores: Any) -> Any:
    return -ops.mean(ops.log(scores[:, 0]))


def _on_tensorflow(model: keras.Model, pixels: np.ndarray, as_graph: bool) -> tuple[Any, ...]:
    import tensorflow as tf

    weights = [weight.value for weight in model.trainable_weights]

    def step(pixels: Any) -> tuple[Any, ...]:
        with tf.GradientTape() as tape:
            scores = model(pixels, training=True)
            loss = _loss(scores)
        return loss, scores, tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    found = (tf.function(step, autograph=False) if as_graph else step)(tf.constant(pixels))
    return *found, [weight.value for weight in model.non_trainable_weights]


def _on_jax(model: keras.Model, pixels: np.ndarray, as_graph: bool) -> tuple[Any, ...]:
    import jax

    fixed = [weight.value for weight in model.non_trainable_variables]

    def loss_of(weights: list[Any]) -> tuple[Any, tuple[Any, Any]]:
        scores, moved = model.stateless_call(weights, fixed, pixels, training=True)
        return _loss(scores), (scores, moved)

    step = jax.value_and_grad(loss_of, has_aux=True)
    weights = [weight.value for weight in model.trainable_variables]
    (loss, (scores, moved)), gradients = (jax.jit(step) if as_graph else step)(weights)
    return loss, scores, gradients, moved


def run_case(case: dict[str, Any], given: Arrays, file: Path) -> Arrays:
    """Results of a built network with the given weights, and scores of the one in the file."""
    model = build(case)
    for weight in model.weights:
        weight.assign(given[weight.path])
    pixels = given["pixels"]
    loaded = keras.models.load_model(file, compile=False, safe_mode=True)
    scores = {
        "scores": ops.convert_to_numpy(model(pixels, training=False)),
        "loaded_scores": ops.convert_to_numpy(loaded(pixels, training=False)),
    }
    return scores | one_step(model, pixels)


def main(cases: Path, folder: Path) -> None:
    """Run every case, and print the modules of backends that were imported."""
    for name, case in json.loads(cases.read_text()).items():
        with np.load(folder / f"{name}.npz") as given:
            found = run_case(case, dict(given), folder / f"{name}.keras")
        np.savez(folder / f"{name}.{keras.backend.backend()}.npz", **found)
    sys.stdout.write(" ".join(sorted({"tensorflow", "jax", "torch"} & sys.modules.keys())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
