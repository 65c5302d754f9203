"""Every block of study B's networks against the authors' Caffe definition, in float64."""

import numpy as np
import pytest

from reelflow.nets.runtime import prepare
from tests.reelflow.nets.video.caffe import Block, Values, moved, run_block
from tests.reelflow.nets.video.weights import as_clips, as_frames, block_of, randomise

CLIPS, FRAMES, FILTERS = 2, 3, 2
SHAPES = {
    "identity": (5, 6, 4 * FILTERS, 1),  # height, width, channels, stride
    "projection": (5, 6, 3, 1),
    "even": (4, 6, 4 * FILTERS, 2),
    "odd": (5, 7, 3, 2),
}
KINDS = [(form, temporal) for form in "ABC" for temporal in ("conv", "conv_lstm", "none")]
CASES = [(*kind, case) for kind in KINDS for case in SHAPES]


def make(form: str, temporal: str, case: str, *, frames: int = FRAMES):
    prepare()
    from reelflow.nets.video.bottleneck import Bottleneck

    height, width, channels, stride = SHAPES[case]
    layer = Bottleneck(FILTERS, frames, form, temporal, stride=stride)
    layer.build((None, height, width, channels))
    randomise(layer)
    inputs = np.random.default_rng(1).normal(size=(CLIPS * frames, height, width, channels))
    return layer, inputs.astype(np.float32)


def assert_close(found, expected: Values) -> None:
    """Within 1e-4 of the largest expected value."""
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


def assert_same_statistics(layer, expected: Block) -> None:
    for name, norm in layer.norms.items():
        assert_close(norm.moving_mean.numpy(), expected.norms[name].mean)
        assert_close(norm.moving_variance.numpy(), expected.norms[name].variance)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("form", "temporal", "case"), CASES)
def test_a_block_is_the_authors(form, temporal, case, training):
    layer, inputs = make(form, temporal, case)
    reference = block_of(layer)
    expected = run_block(as_clips(inputs, CLIPS), reference, training=training)
    assert_close(layer(inputs, training=training).numpy(), as_frames(expected))
    assert_same_statistics(layer, reference)
    assert ("shortcut" in layer.convs) == (case != "identity")
    assert ("time" in layer.convs) == (temporal != "none")


@pytest.mark.parametrize("temporal", ["conv", "conv_lstm"])
def test_the_three_forms_differ(temporal):
    """The comparison above could tell them apart: the same weights, three results."""
    layer, inputs = make("A", temporal, "identity")
    found = []
    for form in "ABC":
        layer.form = form
        found.append(layer(inputs).numpy())
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.abs(found[one] - found[other]).max() > 0.1


@pytest.mark.parametrize("form", "ABC")
@pytest.mark.parametrize("temporal", ["conv", "conv_lstm"])
def test_a_block_of_one_frame(form, temporal):
    layer, inputs = make(form, temporal, "odd", frames=1)
    expected = run_block(as_clips(inputs, CLIPS), block_of(layer))
    assert_close(layer(inputs).numpy(), as_frames(expected))


@pytest.mark.parametrize(("form", "temporal"), KINDS)
def test_clips_of_a_batch_do_not_see_each_other(form, temporal):
    layer, inputs = make(form, temporal, "odd")
    alone, together = layer(inputs[:FRAMES]).numpy(), layer(inputs).numpy()
    np.testing.assert_allclose(together[:FRAMES], alone, atol=1e-6)
    changed = inputs.copy()
    changed[:FRAMES] += 1
    np.testing.assert_allclose(layer(changed).numpy()[FRAMES:], together[FRAMES:], atol=1e-6)


@pytest.mark.parametrize(("form", "temporal"), KINDS)
def test_a_gradient_is_the_slope_of_the_reference(form, temporal):
    """In training, through the statistics of the batch; along a random direction of inputs and weights."""
    layer, inputs = make(form, temporal, "odd")
    direction, change = make(form, temporal, "odd")
    randomise(direction, seed=3)
    change = np.random.default_rng(4).normal(size=change.shape).astype(np.float32)
    probe = np.random.default_rng(5).normal(size=layer(inputs).shape).astype(np.float32)
    point, along = block_of(layer), block_of(direction)

    def reference(step: float) -> float:
        clips = as_clips(inputs + step * change.astype(np.float64), CLIPS)
        found = run_block(clips, moved(point, along, step), training=True)
        return float(np.sum(as_frames(found) * probe))

    expected = (reference(1e-6) - reference(-1e-6)) / 2e-6
    assert slope(layer, inputs, probe, direction, change) == pytest.approx(expected, rel=1e-4)


def slope(layer, inputs, probe, direction, change) -> float:
    """How the sum of outputs times `probe` changes along a direction, by our gradients."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        seen = tf.constant(inputs)
        tape.watch(seen)
        value = tf.reduce_sum(layer(seen, training=True) * probe)
    weights = [variable.value for variable in layer.trainable_variables]
    gradients = tape.gradient(value, [seen, *weights])
    directions = [change, *(variable.numpy() for variable in direction.trainable_variables)]
    pairs = zip(gradients, directions, strict=True)
    return sum(float(np.sum(np.float64(gradient) * one)) for gradient, one in pairs)
