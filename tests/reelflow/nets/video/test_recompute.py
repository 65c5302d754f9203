"""Blocks that are computed again for their gradient: the same training, in less memory."""

from dataclasses import replace

import numpy as np
import pytest

from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import Design
from tests.reelflow.nets.video.weights import randomise

CLIPS, FRAMES, SIDE, CLASSES = 2, 4, 24, 3
PIXELS = np.random.default_rng(1).random((CLIPS, FRAMES, SIDE * SIDE * 3), dtype=np.float32)


def train_once(design: Design, *, as_graph: bool) -> dict[str, np.ndarray]:
    """Loss, scores, gradients by weight, and moving statistics after one step in training mode."""
    prepare()
    import tensorflow as tf

    from reelflow.nets.video.network import build_network

    model = build_network(design, name="n", frames=FRAMES, side=SIDE, classes=CLASSES, dropout=0.0)
    randomise(model)
    weights = [weight.value for weight in model.trainable_weights]

    def step(pixels):
        with tf.GradientTape() as tape:
            scores = model(pixels, training=True)
            loss = -tf.reduce_mean(tf.math.log(scores[:, 0]))
        return loss, scores, tape.gradient(loss, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    loss, scores, gradients = (tf.function(step, autograph=False) if as_graph else step)(tf.constant(PIXELS))
    found = {"loss": loss, "scores": scores}
    found |= {w.path: value for w, value in zip(model.trainable_weights, gradients, strict=True)}
    found |= {w.path: w.value for w in model.non_trainable_weights}
    return {name: np.asarray(value) for name, value in found.items()}


@pytest.mark.parametrize("as_graph", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("temporal", ["conv", "conv_lstm", "none"])
def test_loss_gradients_and_statistics_are_the_same(temporal, as_graph):
    design = Design(temporal, (1, 1, 1, 1), width=1 / 32)
    plain = train_once(design, as_graph=as_graph)
    again = train_once(replace(design, recompute=True), as_graph=as_graph)
    assert plain.keys() == again.keys()
    for name, value in plain.items():
        atol = 1e-5 * max(np.abs(value).max(), 1e-3)
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=atol, err_msg=name)
    moved = [name for name in plain if name.endswith("moving_mean")]
    assert len(moved) == len({"reduce", "spatial", "expand"}) * 4 + 4 + 1 + 3 * (temporal != "none")


def convolutions_of(design: Design) -> int:
    prepare()
    import tensorflow as tf

    from reelflow.nets.video.network import build_network

    model = build_network(design, name="n", frames=FRAMES, side=SIDE, classes=CLASSES, dropout=0.0)
    weights = [weight.value for weight in model.trainable_weights]

    def step(pixels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(pixels, training=True) ** 2)
        return tape.gradient(loss, weights)

    graph = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec(PIXELS.shape)).graph
    return sum(operation.type == "Conv2D" for operation in graph.get_operations())


def test_every_convolution_of_a_block_runs_again():
    """S, twice 1x1x1 and a shortcut in each of four blocks, T in three; conv1 does not."""
    design = Design("conv", (1, 1, 1, 1), width=1 / 64)
    within = 4 * 4 + 3
    assert convolutions_of(design) == within + 1
    assert convolutions_of(replace(design, recompute=True)) == 2 * within + 1


def test_scoring_recomputes_nothing_and_gives_the_same():
    prepare()
    from reelflow.nets.video.network import build_network

    found = []
    for recompute in (False, True):
        design = Design("conv", (1, 1, 1, 1), width=1 / 32, recompute=recompute)
        model = build_network(design, name="n", frames=FRAMES, side=SIDE, classes=CLASSES, dropout=0.0)
        randomise(model)
        found.append(model(PIXELS).numpy())
    np.testing.assert_array_equal(*found)
