"""A residual block with a spatial layer S and a temporal layer T, in one of P3D's three designs.

A: T after S. B: T beside S. C: T after S, and S's output added. The order of normalisation and ReLU is that
of the authors' Caffe definition; `docs/adr/0015-study-b.md` says what ports do otherwise.
"""

from typing import Any, Literal

import keras
from keras import layers, ops

from reelflow.nets.video.batch_norm import BatchNorm
from reelflow.nets.video.conv_lstm import ConvLSTM
from reelflow.nets.video.design import EXPANSION, Temporal

Form = Literal["A", "B", "C"]
FORMS: tuple[Form, ...] = ("A", "B", "C")


@keras.saving.register_keras_serializable(package="reelflow")
class TemporalConv(layers.Layer):  # type: ignore[misc]
    """A 3x1x1 convolution: `(batch * frames, h, w, channels)` to `(batch * frames, h, w, filters)`.

    It is computed as one of 3x1 over frames x places, which every runtime has a kernel for.

    Args:
        filters: output channels.
        frames: of a clip.
    """

    def __init__(self, filters: int, frames: int, **options: Any) -> None:
        super().__init__(**options)
        self.filters, self.frames = filters, frames

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the kernel `(3, 1, channels, filters)`."""
        size = (3, 1, shape[-1], self.filters)
        self.kernel = self.add_weight(name="kernel", shape=size, initializer="he_normal")

    def call(self, inputs: Any) -> Any:
        """Convolve every place along the frames, with zeros before the first and after the last."""
        _, height, width, channels = inputs.shape
        # (batch * frames, h, w, channels) -> (batch, frames, h * w, channels)
        places = ops.reshape(inputs, (-1, self.frames, height * width, channels))
        found = ops.conv(places, self.kernel, padding="same", data_format="channels_last")
        return ops.reshape(found, (-1, height, width, self.filters))

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        return {**super().get_config(), "filters": self.filters, "frames": self.frames}


@keras.saving.register_keras_serializable(package="reelflow")
class Bottleneck(layers.Layer):  # type: ignore[misc]
    """1x1x1, S and T, 1x1x1, and the shortcut: `(batch * frames, h, w, c)` to `(..., EXPANSION * filters)`.

    Args:
        filters: channels within the block.
        frames: of a clip.
        form: the design.
        temporal: what T is.
        stride: spatial, of the first convolution and of the shortcut.
        recompute: compute the block again for its gradient.
    """

    def __init__(
        self,
        filters: int,
        frames: int,
        form: Form,
        temporal: Temporal,
        stride: int = 1,
        recompute: bool = False,  # noqa: FBT001, FBT002
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.filters, self.frames, self.form = filters, frames, form
        self.temporal, self.stride, self.recompute = temporal, stride, recompute
        self._made: list[layers.Layer] = []

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the layers; the shortcut has a convolution where size or channels change."""
        _, height, width, channels = shape
        outer = EXPANSION * self.filters
        strided = (None, -(-height // self.stride), -(-width // self.stride))
        self.reduce = self._conv("reduce", self.filters, 1, shape, stride=self.stride)
        inner = (*strided, self.filters)
        self.spatial = self._conv("spatial", self.filters, 3, inner)
        self.time, self.time_norm = self._make_time(inner), None
        if self.time:
            self.time_norm = self._norm("time", self.filters)
        self.expand = self._conv("expand", outer, 1, inner)
        self.reduce_norm, self.spatial_norm = self._norm("reduce", self.filters), self._norm("spatial", self.filters)
        self.expand_norm = self._norm("expand", outer)
        self.shortcut = self.shortcut_norm = None
        if self.stride > 1 or channels != outer:
            self.shortcut = self._conv("shortcut", outer, 1, shape, stride=self.stride)
            self.shortcut_norm = self._norm("shortcut", outer)

    def call(self, inputs: Any, training: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Run the block."""
        if not (training and self.recompute):
            found, statistics = self._run(inputs, training=training)
        else:
            found, statistics = keras.remat(lambda seen: self._run(seen, training=True))(inputs)
        for norm, values in zip(self._norms(), statistics, strict=True):
            norm.update(values)
        return found

    def _run(self, inputs: Any, *, training: bool) -> tuple[Any, list[list[Any]]]:
        """The output, and what the norms in `_norms` have measured; changes no variable."""
        measured: dict[str, list[Any]] = {}

        def norm(layer: BatchNorm, seen: Any) -> Any:
            found, measured[layer.name] = layer.normalise(seen, training=training)
            return found

        seen = ops.relu(norm(self.reduce_norm, self.reduce(inputs)))
        mixed = self._mix(seen, norm)
        found = norm(self.expand_norm, self.expand(mixed))
        shortcut = norm(self.shortcut_norm, self.shortcut(inputs)) if self.shortcut else inputs
        return ops.relu(found + shortcut), [measured[layer.name] for layer in self._norms()]

    def _mix(self, seen: Any, norm: Any) -> Any:
        """S and T by the design."""
        space = ops.relu(norm(self.spatial_norm, self.spatial(seen)))
        if self.time is None:
            return space
        moved = norm(self.time_norm, self.time(seen if self.form == "B" else space))
        return ops.relu(moved if self.form == "A" else space + moved)

    def _norms(self) -> list[BatchNorm]:
        norms = (self.reduce_norm, self.spatial_norm, self.time_norm, self.expand_norm, self.shortcut_norm)
        return [norm for norm in norms if norm]

    def _make_time(self, shape: tuple[int | None, ...]) -> layers.Layer | None:
        if self.temporal == "none":
            return None
        kind = TemporalConv if self.temporal == "conv" else ConvLSTM
        layer = kind(self.filters, self.frames, name="time", dtype=self.dtype_policy)
        layer.build(shape)
        return layer

    def _conv(
        self, name: str, filters: int, size: int, shape: tuple[int | None, ...], *, stride: int = 1
    ) -> layers.Layer:
        layer = layers.Conv2D(
            filters,
            size,
            strides=stride,
            padding="same" if size > 1 else "valid",
            use_bias=False,
            kernel_initializer="he_normal",
            name=name,
            dtype=self.dtype_policy,
        )
        layer.build(shape)
        return layer

    def _norm(self, name: str, channels: int) -> BatchNorm:
        layer = BatchNorm(name=f"{name}_norm", dtype=self.dtype_policy)
        layer.build((None, None, None, channels))
        return layer

    def get_config(self) -> dict[str, Any]:
        """What makes the same layer again."""
        names = ("filters", "frames", "form", "temporal", "stride", "recompute")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
