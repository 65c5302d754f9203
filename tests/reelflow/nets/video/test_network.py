"""Stem, temporal pools and whole networks of study B against the authors' Caffe definition."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest

from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import Design
from tests.reelflow.nets.video.caffe import convolve, max_pool, moved, relu, run_network
from tests.reelflow.nets.video.weights import as_clips, as_frames, kernel_of, network_of, norm_of, randomise
from tests.slowly import slow

CLIPS, CLASSES = 3, 3
TINY = Design("conv", (2, 1, 1, 1), width=1 / 32)  # 2 channels; the forms are A, B, then C, A, and 2D
TEMPORAL = ["conv", "conv_lstm", "none"]


def build(design: Design, *, frames: int, side: int, dropout: float = 0.0, seed: int = 0):
    prepare()
    from reelflow.nets.video.network import build_network

    model = build_network(design, name="network", frames=frames, side=side, classes=CLASSES, dropout=dropout)
    randomise(model, seed)
    return model


def make_pixels(frames: int, side: int):
    return np.random.default_rng(7).random((CLIPS, frames, side * side * 3), dtype=np.float32)


def pixels_as_clips(pixels):
    """What Caffe's first layer gets: `(n, 3, frames, h, w)`, 0 in the middle."""
    side = round((pixels.shape[2] / 3) ** 0.5)
    return as_clips(pixels.reshape(-1, side, side, 3), len(pixels)) - 0.5


def output_of(model, layer: str, pixels):
    """What a layer gives, and what the next one gets."""
    import keras

    return keras.Model(model.input, model.get_layer(layer).output)(pixels).numpy()


@pytest.mark.parametrize("side", [6, 7, 8, 9, 10, 13, 16])
def test_the_stem_rounds_as_caffe_does(side):
    """conv1 pads 3; pool1 has no padding and rounds up: 80 to 40, 40 to 20, 39 to 19, 5 to 2, 4 to 2."""
    model, pixels = build(TINY, frames=2, side=side), make_pixels(2, side)
    seen = convolve(
        pixels_as_clips(pixels), kernel_of(model.get_layer("conv1").kernel), stride=2, pad=(0, 3, 3)
    )
    np.testing.assert_allclose(output_of(model, "conv1", pixels), as_frames(seen), atol=1e-5)
    norm = norm_of(model.get_layer("conv1_norm"))
    expected = as_frames(max_pool(relu(norm(seen, training=False)), (1, 3, 3), (1, 2, 2)))
    found = output_of(model, "pool1", pixels)
    assert found.shape[1] == ceil((ceil(side / 2) - 3) / 2) + 1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("side", "expected"), [(160, 40), (157, 39), (112, 28), (77, 19), (64, 16)])
def test_pool1_at_the_sizes_of_studies(side, expected):
    """160: 80, 40. 157: 79, 39. 77: 39, 19."""
    model = build(replace(TINY, stages=(1, 1, 1, 1)), frames=1, side=side)
    assert model.get_layer("pool1").output.shape[1:3] == (expected, expected)


@pytest.mark.parametrize("frames", [1, 2, 3, 5, 7, 16])
def test_a_temporal_pool_keeps_an_odd_last_frame(frames):
    prepare()
    from reelflow.nets.video.network import _halved

    values = np.random.default_rng(8).normal(size=(CLIPS * frames, 2, 3, 4)).astype(np.float32)
    found, left = _halved(values, frames, TINY, "float32", name="pool")
    expected = max_pool(as_clips(values, CLIPS), (2, 1, 1), (2, 1, 1))
    assert left == expected.shape[2] == ceil(frames / 2)
    np.testing.assert_array_equal(found, as_frames(expected))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("frames", "side"), [slow(4, 40), (3, 37), slow(1, 48), slow(18, 36)])
@pytest.mark.parametrize("temporal", TEMPORAL)
def test_a_network_is_the_authors(temporal, frames, side, training):
    """Scores, and in training every moving statistic; conv5 keeps 2x2 places for its statistics."""
    design = replace(TINY, temporal=temporal)
    model, pixels = build(design, frames=frames, side=side), make_pixels(frames, side)
    reference = network_of(model, design.stages, pools_time=temporal != "none")
    expected = run_network(pixels_as_clips(pixels), reference, training=training)
    found = model(pixels, training=training).numpy()
    assert np.abs(expected[0] - expected[1]).max() > 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    after = network_of(model, design.stages, pools_time=temporal != "none")
    norms = [(after.conv1_norm, reference.conv1_norm)]
    for stage, other in zip(after.stages, reference.stages, strict=True):
        for block, same in zip(stage, other, strict=True):
            norms += [(norm, same.norms[name]) for name, norm in block.norms.items()]
    for norm, same in norms:
        np.testing.assert_allclose(norm.mean, same.mean, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(norm.variance, same.variance, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("temporal", TEMPORAL)
def test_a_gradient_of_a_network_is_the_slope_of_the_reference(temporal):
    """Cross-entropy in training, along a random direction of all weights."""
    import tensorflow as tf

    design, frames, side = replace(TINY, temporal=temporal), 4, 40
    model, pixels = build(design, frames=frames, side=side), make_pixels(frames, side)
    direction = build(design, frames=frames, side=side, seed=9)
    point, along = (
        network_of(one, design.stages, pools_time=temporal != "none") for one in (model, direction)
    )

    def reference(step: float) -> float:
        scores = run_network(pixels_as_clips(pixels), moved(point, along, step), training=True)
        return float(-np.log(scores[[0, 1, 2], [0, 2, 1]]).mean())

    with tf.GradientTape() as tape:
        scores = model(pixels, training=True)
        loss = -tf.reduce_mean(tf.math.log(tf.gather(scores, [0, 2, 1], batch_dims=1)))
    assert float(loss) == pytest.approx(reference(0), rel=1e-4)
    weights = model.trainable_variables
    # a ConvLSTM of one frame does not use its recurrent kernel
    zero = tf.UnconnectedGradients.ZERO
    gradients = tape.gradient(loss, [weight.value for weight in weights], unconnected_gradients=zero)
    pairs = zip(gradients, direction.trainable_variables, strict=True)
    slope = sum(float(np.sum(np.float64(gradient) * one.numpy())) for gradient, one in pairs)
    assert slope == pytest.approx((reference(1e-6) - reference(-1e-6)) / 2e-6, rel=1e-3)


def test_dropout_is_before_the_last_layer_and_in_training_only():
    model = build(TINY, frames=2, side=16, dropout=0.5)
    pixels = make_pixels(2, 16)
    assert model.layers[-2].name == "dropout"
    assert model.layers[-2].rate == 0.5
    one, other = (model(pixels, training=True).numpy() for _ in range(2))
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_array_equal(model(pixels).numpy(), model(pixels).numpy())


def test_a_network_without_time_sees_frames_in_any_order():
    pixels = make_pixels(4, 16)
    for temporal in TEMPORAL:
        model = build(replace(TINY, temporal=temporal), frames=4, side=16)
        difference = np.abs(model(pixels).numpy() - model(pixels[:, ::-1].copy()).numpy()).max()
        assert (difference > 1e-4) == (temporal != "none"), temporal
