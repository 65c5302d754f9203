"""Random weights for the networks of study B, and the same weights in Caffe's order."""

import numpy as np

from tests.reelflow.nets.video.caffe import Block, Network, Norm, Recurrent, Values

GATES = ("input", "forget", "cell", "output")  # keras.layers.ConvLSTM2D's order


def randomise(layer, seed: int = 0) -> None:
    """Fill every weight, moving statistics too: no term of a sum is zero, no factor one."""
    chance = np.random.default_rng(seed)
    for weight in layer.weights:
        if weight.name in ("moving_variance", "gamma"):
            value = chance.uniform(0.5, 1.5, weight.shape)
        elif "kernel" in weight.name:
            value = chance.normal(0, 1 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)
        else:
            value = chance.normal(0, 0.3, weight.shape)
        weight.assign(value)


def as_clips(frames, count: int) -> Values:
    """`(count * frames, h, w, channels)` to Caffe's `(count, channels, frames, h, w)`."""
    values = np.asarray(frames, np.float64)
    return np.moveaxis(values.reshape(count, -1, *values.shape[1:]), 4, 1)


def as_frames(clips: Values) -> Values:
    """The other way round."""
    moved = np.moveaxis(clips, 1, 4)
    return moved.reshape(-1, *moved.shape[2:])


def kernel_of(variable, *, along_time: bool = False) -> Values:
    """`(h, w, in, out)` to `(out, in, 1, h, w)`, `(frames, 1, in, out)` to `(out, in, frames, 1, 1)`."""
    moved = np.asarray(variable, np.float64).transpose(3, 2, 0, 1)
    return moved[..., None] if along_time else moved[:, :, None]


def norm_of(layer) -> Norm:
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    return Norm(*(np.array(getattr(layer, name), np.float64) for name in names))


def recurrent_of(layer) -> Recurrent:
    """By gate, from our layer or from Keras's ConvLSTM2D."""

    def by_gate(values: Values, axis: int = 0) -> dict[str, Values]:
        return dict(zip(GATES, np.split(values, 4, axis=axis), strict=True))

    return Recurrent(
        by_gate(kernel_of(layer.kernel)),
        by_gate(kernel_of(layer.recurrent_kernel)),
        by_gate(np.array(layer.bias, np.float64)),
    )


def block_of(layer) -> Block:
    """The weights of a `Bottleneck`."""
    recurrent = layer.temporal == "conv_lstm"
    kernels = {
        name: kernel_of(conv.kernel, along_time=name == "time")
        for name, conv in layer.convs.items()
        if not (recurrent and name == "time")
    }
    return Block(
        layer.form,
        layer.stride,
        kernels,
        {name: norm_of(norm) for name, norm in layer.norms.items()},
        recurrent_of(layer.convs["time"]) if recurrent and "time" in layer.convs else None,
    )


def network_of(model, stages: tuple[int, ...], *, pools_time: bool) -> Network:
    """The weights of a whole network."""
    scores = model.get_layer("scores")
    return Network(
        kernel_of(model.get_layer("conv1").kernel),
        norm_of(model.get_layer("conv1_norm")),
        [
            [block_of(model.get_layer(f"conv{stage}_{block + 1}")) for block in range(count)]
            for stage, count in enumerate(stages, start=2)
        ],
        (np.asarray(scores.kernel, np.float64).T, np.asarray(scores.bias, np.float64)),
        pools_time,
    )
