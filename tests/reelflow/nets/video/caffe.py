"""P3D's operations and blocks in NumPy, float64, as its authors' Caffe definition has them.

Written from `deploy_p3d_resnet_kinetics.prototxt`, `bn_layer.cpp` and `pooling3d_layer.cpp` of
github.com/ZhaofanQiu/pseudo-3d-residual-networks, and the ConvLSTM from Shi et al. 2015 (without
peepholes); nothing here is reelflow's. Clips are `(n, channels, frames, h, w)`, kernels
`(out, in, frames, h, w)`: Caffe's order.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Values = NDArray[np.float64]


@dataclass
class Norm:
    """Caffe's BN layer with its own defaults: momentum 0.9, eps 1e-5."""

    slope: Values
    bias: Values
    mean: Values
    variance: Values

    def __call__(self, clips: Values, *, training: bool) -> Values:
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = clips.mean(axis=(0, 2, 3, 4)), clips.var(axis=(0, 2, 3, 4))
            self.mean = 0.9 * self.mean + 0.1 * mean
            self.variance = 0.9 * self.variance + 0.1 * variance

        def channels(values: Values) -> Values:
            return values[:, None, None, None]

        found = (clips - channels(mean)) / np.sqrt(channels(variance) + 1e-5)
        return found * channels(self.slope) + channels(self.bias)


@dataclass
class Recurrent:
    """Weights of a ConvLSTM, by gate: kernels `(out, in, 1, h, w)`, biases `(out,)`."""

    seen: dict[str, Values]
    state: dict[str, Values]
    bias: dict[str, Values]


@dataclass
class Block:
    """A block's weights; no `time` is a block in 2D, no `shortcut` an identity."""

    form: str
    stride: int
    kernels: dict[str, Values]
    norms: dict[str, Norm]
    recurrent: Recurrent | None = None


def convolve(clips: Values, kernel: Values, *, stride: int = 1, pad: tuple[int, int, int]) -> Values:
    """A convolution without a bias; `stride` is of height and width."""
    padded = np.pad(clips, [(0, 0), (0, 0), *((size, size) for size in pad)])
    windows = sliding_window_view(padded, kernel.shape[2:], axis=(2, 3, 4))
    return np.einsum("nclhwxyz,ocxyz->nolhw", windows[:, :, :, ::stride, ::stride], kernel, optimize=True)


def max_pool(clips: Values, size: tuple[int, int, int], stride: tuple[int, int, int]) -> Values:
    """Caffe's maximum without padding: the number of windows is rounded up, and the last are cut."""
    for axis, (length, step) in enumerate(zip(size, stride, strict=True), start=2):
        count = ceil((clips.shape[axis] - length) / step) + 1
        windows = [
            np.arange(place * step, min(place * step + length, clips.shape[axis])) for place in range(count)
        ]
        clips = np.stack([clips.take(window, axis=axis).max(axis=axis) for window in windows], axis=axis)
    return clips


def relu(clips: Values) -> Values:
    return np.maximum(clips, 0)


def sigmoid(values: Values) -> Values:
    return 1 / (1 + np.exp(-values))


def conv_lstm(clips: Values, weights: Recurrent) -> Values:
    """Shi et al. 2015, equations (3), without the terms of W_c; the state starts at zero."""
    count, _, frames, height, width = clips.shape
    hidden = np.zeros((count, len(weights.bias["cell"]), 1, height, width))
    cell = np.zeros_like(hidden)
    outputs = []
    for place in range(frames):
        frame = clips[:, :, place : place + 1]
        before = {
            gate: convolve(frame, weights.seen[gate], pad=(0, 1, 1))
            + convolve(hidden, weights.state[gate], pad=(0, 1, 1))
            + weights.bias[gate][:, None, None, None]
            for gate in ("input", "forget", "cell", "output")
        }
        cell = sigmoid(before["forget"]) * cell + sigmoid(before["input"]) * np.tanh(before["cell"])
        hidden = sigmoid(before["output"]) * np.tanh(cell)
        outputs.append(hidden)
    return np.concatenate(outputs, axis=2)


def run_block(clips: Values, block: Block, *, training: bool = False) -> Values:
    """res2a (form A), res2b (B), res2c (C), or res5a (2D), with branch1 where it has a shortcut."""

    def norm(name: str, seen: Values) -> Values:
        return block.norms[name](seen, training=training)

    def point(name: str, seen: Values, stride: int = 1) -> Values:
        return norm(name, convolve(seen, block.kernels[name], stride=stride, pad=(0, 0, 0)))

    def space(seen: Values) -> Values:
        return relu(norm("spatial", convolve(seen, block.kernels["spatial"], pad=(0, 1, 1))))

    def time(seen: Values) -> Values:
        if block.recurrent is not None:
            return norm("time", conv_lstm(seen, block.recurrent))
        return norm("time", convolve(seen, block.kernels["time"], pad=(1, 0, 0)))

    branch1 = point("shortcut", clips, block.stride) if "shortcut" in block.kernels else clips
    branch2a = relu(point("reduce", clips, block.stride))
    if "time" not in block.norms:
        branch2b = space(branch2a)
    elif block.form == "A":
        branch2b = relu(time(space(branch2a)))
    elif block.form == "B":
        branch2b = relu(space(branch2a) + time(branch2a))
    else:
        spatial = space(branch2a)
        branch2b = relu(spatial + time(spatial))
    return relu(branch1 + point("expand", branch2b))


def moved(point: Any, direction: Any, step: float) -> Any:
    """Weights a step along a direction: blocks, networks, or parts of them."""
    if isinstance(point, dict):
        return {name: moved(value, direction[name], step) for name, value in point.items()}
    if isinstance(point, (list, tuple)):
        return type(point)(moved(*pair, step) for pair in zip(point, direction, strict=True))
    if is_dataclass(point):
        names = [field.name for field in fields(point)]
        return replace(
            point, **{name: moved(getattr(point, name), getattr(direction, name), step) for name in names}
        )
    return point + step * direction if isinstance(point, np.ndarray) else point


@dataclass
class Network:
    """Everything between a clip and its scores."""

    conv1: Values
    conv1_norm: Norm
    stages: list[list[Block]]
    scores: tuple[Values, Values]  # (classes, channels), (classes,)
    pools_time: bool = True


def run_network(clips: Values, network: Network, *, training: bool = False) -> Values:
    """Scores `(n, classes)` of clips `(n, 3, frames, h, w)`; there is no dropout."""
    length = 2 if network.pools_time else 1
    seen = convolve(clips, network.conv1, stride=2, pad=(0, 3, 3))
    seen = relu(network.conv1_norm(seen, training=training))
    seen = max_pool(seen, (length, 3, 3), (length, 2, 2))
    for place, stage in enumerate(network.stages):
        if place:
            seen = max_pool(seen, (length, 1, 1), (length, 1, 1))
        for block in stage:
            seen = run_block(seen, block, training=training)
    kernel, bias = network.scores
    raised = np.exp(seen.mean(axis=(2, 3, 4)) @ kernel.T + bias)
    return raised / raised.sum(axis=1, keepdims=True)
