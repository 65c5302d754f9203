"""Starts a network from the weights of a 2D ResNet-50, as Keras has them.

Keras's ResNet-50 has the same strides as ours. Its convolutions have biases, which go into the moving means
of the norms behind them; its norms add another epsilon to the variance; and it takes 0 .. 255 in the order
blue, green, red, less the means of ImageNet, where ours takes red, green, blue of 0 .. 1 less 0.5. Its
first pool begins one pixel earlier than Caffe's, which P3D has.

The network starts as the 2D one on every frame: T of forms B and C is multiplied by zero, and a T of form A
that is a convolution hands its input on (Carreira and Zisserman 2017 inflate kernels instead;
arXiv:1705.07750). A ConvLSTM of form A starts from random weights.
"""

from pathlib import Path
from typing import Any

import numpy as np

from reelflow.nets.video.bottleneck import Bottleneck
from reelflow.nets.video.resnet_file import Array, ResNetFile

MEANS_BGR = (103.939, 116.779, 123.68)  # of ImageNet, as keras.applications.resnet.preprocess_input
EPSILON = 1.001e-5  # of Keras's norms
OFFSET, WHITE = 0.5, 255
PLACES = {"shortcut": 0, "reduce": 1, "spatial": 2, "expand": 3}
"""Keras's number of each convolution of a block."""


def inflate(network: Any, path: Path) -> None:
    """Put the weights of a 2D ResNet-50 into a network; its last layer stays as it is.

    Args:
        network: `p3d_63`, `convlstm_c2d_63` or `c2d_50`, of width 1.
        path: `keras.applications.ResNet50`'s weights, HDF5.

    Raises:
        WeightsError: the file is missing, damaged, or of another network.
    """
    file = ResNetFile(path)
    _fill_stem(network, file)
    for block in network.layers:
        if isinstance(block, Bottleneck):
            _fill_block(block, file)


def _fill_stem(network: Any, file: ResNetFile) -> None:
    conv, norm = network.get_layer("conv1"), network.get_layer("conv1_norm")
    kernel, bias = file.conv("conv1", tuple(conv.kernel.shape))
    means = np.array(MEANS_BGR, np.float32)[:, None]  # (blue green red, 1)
    shift = (kernel * (WHITE * OFFSET - means)).sum(axis=(0, 1, 2))  # (channels,)
    conv.kernel.assign(WHITE * kernel[:, :, ::-1])
    _fill_norm(norm, file, "conv1", bias + shift)


def _fill_block(block: Bottleneck, file: ResNetFile) -> None:
    stage, place = block.name.split("_")
    for name, conv in block.convs.items():
        if name == "time":
            _start_time(block)
            continue
        known = f"{stage}_block{place}_{PLACES[name]}"
        kernel, bias = file.conv(known, tuple(conv.kernel.shape))
        conv.kernel.assign(kernel)
        _fill_norm(block.norms[name], file, known, bias)


def _fill_norm(norm: Any, file: ResNetFile, name: str, bias: Array) -> None:
    """A convolution's bias, `(channels,)`, moves the mean that is taken off behind it."""
    gamma, beta, mean, variance = file.norm(name, len(bias))
    norm.gamma.assign(gamma)
    norm.beta.assign(beta)
    norm.moving_mean.assign(mean - bias)
    norm.moving_variance.assign(variance + np.float32(EPSILON - norm.epsilon))


def _start_time(block: Bottleneck) -> None:
    """Let the temporal layer change nothing yet."""
    conv, norm = block.convs["time"], block.norms["time"]
    if block.form != "A":
        norm.gamma.assign(np.zeros(norm.gamma.shape, np.float32))
    elif block.temporal == "conv":
        kernel = np.zeros(conv.kernel.shape, np.float32)  # (frames, 1, channels, channels)
        kernel[1, 0] = np.eye(block.filters)
        conv.kernel.assign(kernel)
        norm.moving_variance.assign(np.full(norm.gamma.shape, 1 - norm.epsilon, np.float32))
