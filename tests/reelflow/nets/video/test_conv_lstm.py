"""Our ConvLSTM against Keras's own, with the same weights, and against the paper's equations."""

import numpy as np
import pytest

from reelflow.nets.runtime import prepare, seed_everything
from tests.reelflow.nets.video.caffe import conv_lstm
from tests.reelflow.nets.video.weights import as_clips, as_frames, randomise, recurrent_of

CLIPS, HEIGHT, WIDTH, CHANNELS, FILTERS = 2, 5, 6, 3, 4


def make_both(frames: int, kernel_size: int = 3):
    """Ours and Keras's, with the same random weights."""
    prepare()
    from keras import layers

    from reelflow.nets.video.conv_lstm import ConvLSTM

    ours = ConvLSTM(FILTERS, frames, kernel_size)
    ours.build((None, HEIGHT, WIDTH, CHANNELS))
    randomise(ours)
    keras_own = layers.ConvLSTM2D(FILTERS, kernel_size, padding="same", return_sequences=True)
    keras_own.build((None, frames, HEIGHT, WIDTH, CHANNELS))
    keras_own.set_weights(ours.get_weights())
    return ours, keras_own


def make_clips(frames: int):
    shape = (CLIPS, frames, HEIGHT, WIDTH, CHANNELS)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def outputs_and_gradients(layer, inputs, probe) -> list[np.ndarray]:
    """The outputs, then the gradients of the inputs and of every weight."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        seen = tf.constant(inputs)
        tape.watch(seen)
        found = layer(seen)
        value = tf.reduce_sum(found * tf.reshape(probe, tf.shape(found)))
    sources = [seen, *(weight.value for weight in layer.trainable_weights)]
    # of one frame, ours does not use the recurrent kernel
    gradients = tape.gradient(value, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [np.asarray(values) for values in (found, *gradients)]


@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_outputs_and_gradients_are_those_of_keras(frames, kernel_size):
    ours, keras_own = make_both(frames, kernel_size)
    clips = make_clips(frames)
    probe = np.random.default_rng(2).normal(size=(CLIPS, frames, HEIGHT, WIDTH, FILTERS)).astype(np.float32)
    flat = clips.reshape(-1, HEIGHT, WIDTH, CHANNELS)
    found = outputs_and_gradients(ours, flat, probe)
    expected = outputs_and_gradients(keras_own, clips, probe)
    assert len(found) == len(expected) == 5  # outputs, inputs, kernel, recurrent kernel, bias
    names = ("outputs", "inputs", "kernel", "recurrent_kernel", "bias")
    for name, one, other in zip(names, found, expected, strict=True):
        largest = np.abs(other).max()
        assert largest > 1e-2 or (frames == 1 and name == "recurrent_kernel"), name  # the state is zero
        np.testing.assert_allclose(
            one.reshape(other.shape), other, rtol=1e-4, atol=1e-4 * largest, err_msg=name
        )


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_outputs_are_those_of_the_paper(frames):
    ours, _ = make_both(frames)
    flat = make_clips(frames).reshape(-1, HEIGHT, WIDTH, CHANNELS)
    expected = as_frames(conv_lstm(as_clips(flat, CLIPS), recurrent_of(ours)))
    np.testing.assert_allclose(ours(flat).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_frame_sees_those_before_and_none_behind():
    frames = 4
    ours, _ = make_both(frames)
    clips = make_clips(frames)[:1, :, :, :, :]
    before = ours(clips[0]).numpy()
    for place in range(frames):
        changed = clips[0].copy()
        changed[place] += 1
        differs = np.abs(ours(changed).numpy() - before).max(axis=(1, 2, 3)) > 1e-6
        np.testing.assert_array_equal(differs, np.arange(frames) >= place)


def test_new_weights_are_drawn_like_those_of_keras():
    """Same shapes, same biases (the forget gates' are one), same spread."""
    seed_everything(1)
    from keras import layers

    from reelflow.nets.video.conv_lstm import ConvLSTM

    ours = ConvLSTM(16, 2)
    ours.build((None, HEIGHT, WIDTH, 8))
    keras_own = layers.ConvLSTM2D(16, 3, padding="same")
    keras_own.build((None, 2, HEIGHT, WIDTH, 8))
    for one, other in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        if one.ndim == 1:
            np.testing.assert_array_equal(one, other)
        assert one.shape == other.shape
        assert one.std() == pytest.approx(other.std(), rel=0.05)
