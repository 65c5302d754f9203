"""A ConvLSTM over the frames of a clip (Shi et al. 2015, arXiv:1506.04214), without peepholes.

`keras.layers.ConvLSTM2D` convolves input and state in every step, four times each. Here the input's part of
all frames is one convolution, the state's part of all gates another, and the first step has none: its
state is zero.
"""

from typing import Any

import keras
from keras import layers, ops


def forget_open(shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Biases `(4 * filters,)` that are zero but for the forget gates' ones (as Keras's unit_forget_bias)."""
    part = (shape[0] // 4,)
    return ops.concatenate([ops.zeros(part, dtype), ops.ones(part, dtype), ops.zeros((2 * part[0],), dtype)])


@keras.saving.register_keras_serializable(package="reelflow")
class ConvLSTM(layers.Layer):  # type: ignore[misc]
    """Every frame's output of a ConvLSTM: `(batch * frames, h, w, channels)` to `(..., filters)`.

    The weights are those of `keras.layers.ConvLSTM2D(filters, 3, padding="same")`: kernel, recurrent
    kernel, bias; the order of the gates is input, forget, cell, output.

    Args:
        filters: channels of state and output.
        frames: of a clip.
        kernel_size: of both convolutions.
    """

    def __init__(self, filters: int, frames: int, kernel_size: int = 3, **options: Any) -> None:
        super().__init__(**options)
        self.filters, self.frames, self.kernel_size = filters, frames, kernel_size

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights."""
        size, gates = (self.kernel_size, self.kernel_size), 4 * self.filters

        def kernel(name: str, channels: Any, initial: str) -> Any:
            return self.add_weight(name=name, shape=(*size, channels, gates), initializer=initial)

        self.kernel = kernel("kernel", shape[-1], "glorot_uniform")
        self.recurrent_kernel = kernel("recurrent_kernel", self.filters, "orthogonal")
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer=forget_open)

    def call(self, inputs: Any) -> Any:
        """Run over the frames, oldest first."""
        _, height, width, _ = inputs.shape
        seen = ops.conv(inputs, self.kernel, padding="same", data_format="channels_last") + self.bias
        # (batch * frames, h, w, gates) -> (batch, frames, h, w, gates)
        seen = ops.reshape(seen, (-1, self.frames, height, width, 4 * self.filters))
        state = cell = None
        outputs = []
        for frame in ops.unstack(seen, self.frames, axis=1):
            state, cell = self._step(frame, state, cell)
            outputs.append(state)
        # frames of (batch, h, w, filters) -> (batch * frames, h, w, filters)
        return ops.reshape(ops.stack(outputs, axis=1), (-1, height, width, self.filters))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the output; JAX cannot find it for a batch of unknown size."""
        return (*shape[:-1], self.filters)

    def _step(self, seen: Any, state: Any, cell: Any) -> tuple[Any, Any]:
        """State and cell after a frame; None before the first one stands for zeros."""
        if state is not None:
            kernel = self.recurrent_kernel
            seen = seen + ops.conv(state, kernel, padding="same", data_format="channels_last")
        taken, kept, candidate, shown = ops.split(seen, 4, axis=-1)  # (batch, h, w, filters) each
        new = ops.sigmoid(taken) * ops.tanh(candidate)
        cell = new if cell is None else new + ops.sigmoid(kept) * cell
        return ops.sigmoid(shown) * ops.tanh(cell), cell

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        own = {"filters": self.filters, "frames": self.frames, "kernel_size": self.kernel_size}
        return {**super().get_config(), **own}
