"""Blocks that are computed again for their gradient: the same training, in less memory."""

import numpy as np
import pytest

from reelflow.nets.runtime import prepare
from tests.reelflow.nets.video.weights import randomise

FRAMES, SIDE = 4, 24
PIXELS = np.random.default_rng(1).random((2, FRAMES, SIDE * SIDE * 3), dtype=np.float32)


def make(temporal: str, *, recompute: bool, width: float = 1 / 32):
    prepare()
    from tests.reelflow.nets.video.one_step import build

    case = {"temporal": temporal, "stages": (1, 1, 1, 1), "width": width, "recompute": recompute}
    model = build(case | {"frames": FRAMES, "side": SIDE, "precision": "float32"})
    randomise(model)
    return model


@pytest.mark.parametrize("as_graph", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("temporal", ["conv", "conv_lstm", "none"])
def test_loss_gradients_and_statistics_are_the_same(temporal, as_graph):
    prepare()
    from tests.reelflow.nets.video.one_step import one_step

    plain, again = (
        one_step(make(temporal, recompute=recompute), PIXELS, as_graph=as_graph)
        for recompute in (False, True)
    )
    assert plain.keys() == again.keys()
    for name, value in plain.items():
        atol = 1e-5 * max(np.abs(value).max(), 1e-3)
        np.testing.assert_allclose(again[name], value, rtol=1e-5, atol=atol, err_msg=name)
    moved = [name for name in plain if name.endswith("moving_mean")]
    assert len(moved) == len({"reduce", "spatial", "expand"}) * 4 + 4 + 1 + 3 * (temporal != "none")


def convolutions_of(model) -> int:
    """In the graph of a training step."""
    import tensorflow as tf

    weights = [weight.value for weight in model.trainable_weights]

    def step(pixels):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(pixels, training=True) ** 2)
        return tape.gradient(loss, weights)

    graph = tf.function(step, autograph=False).get_concrete_function(tf.TensorSpec(PIXELS.shape)).graph
    return sum(operation.type == "Conv2D" for operation in graph.get_operations())


@pytest.mark.slow
def test_every_convolution_of_a_block_runs_again():
    """S, twice 1x1x1 and a shortcut in each of four blocks, T in three; conv1 does not."""
    within = 4 * 4 + 3
    assert convolutions_of(make("conv", recompute=False)) == within + 1
    assert convolutions_of(make("conv", recompute=True)) == 2 * within + 1


def test_scoring_recomputes_nothing_and_gives_the_same():
    np.testing.assert_array_equal(*(make("conv", recompute=again)(PIXELS).numpy() for again in (False, True)))
