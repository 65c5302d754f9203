"""A residual block with a spatial layer S and a temporal layer T, in one of P3D's three designs.

A: T after S. B: T beside S. C: T after S, and S's output added. The order of normalisation and ReLU is that
of the authors' Caffe definition; `docs/adr/0015-study-b.md` says what ports do otherwise.
"""

from collections.abc import Callable
from typing import Any, Literal

import keras
from keras import layers, ops

from reelflow.nets.video.batch_norm import BatchNorm
from reelflow.nets.video.conv_lstm import ConvLSTM
from reelflow.nets.video.design import EXPANSION, TEMPORAL, Temporal

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

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the output; JAX cannot find it for a batch of unknown size."""
        return (*shape[:-1], self.filters)

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

    Raises:
        ValueError: an unknown form or temporal layer, or a size below 1, as a damaged file may have.
    """

    def __init__(
        self,
        filters: int,
        frames: int,
        form: Form,
        temporal: Temporal,
        stride: int = 1,
        recompute: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if form not in FORMS or temporal not in TEMPORAL or min(filters, frames, stride) < 1:
            raise ValueError(
                f"a block has form {form!r}, temporal {temporal!r}, filters {filters}, frames {frames} and "
                f"stride {stride}: expected one of {', '.join(FORMS)}, one of {', '.join(TEMPORAL)}, and "
                "sizes of at least 1: build it by reelflow.nets.video.network"
            )
        self.filters, self.frames, self.form = filters, frames, form
        self.temporal, self.stride, self.recompute = temporal, stride, recompute

    def build(self, shape: tuple[int, ...]) -> None:
        """Make convolutions and norms; the shortcut has its own where size or channels change."""
        _, height, width, channels = shape
        outer, inner = EXPANSION * self.filters, self.filters
        within = (None, -(-height // self.stride), -(-width // self.stride), inner)
        self.convs = {
            "reduce": self._conv("reduce", inner, 1, shape, stride=self.stride),
            "spatial": self._conv("spatial", inner, 3, within),
            "expand": self._conv("expand", outer, 1, within),
        }
        if self.temporal != "none":
            self.convs["time"] = self._time(within)
        if self.stride > 1 or channels != outer:
            self.convs["shortcut"] = self._conv("shortcut", outer, 1, shape, stride=self.stride)
        wide = {"expand", "shortcut"}
        self.norms = {name: self._norm(name, outer if name in wide else inner) for name in self.convs}

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Run the block."""
        if training and self.recompute:
            found, statistics = keras.remat(lambda seen: self._run(seen, training=True))(inputs)
        else:
            found, statistics = self._run(inputs, training=training)
        for norm, values in zip(self.norms.values(), statistics, strict=True):
            norm.update(values)
        return found

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the output; JAX cannot find it for a batch of unknown size."""
        batch, *sides, _ = shape
        return (batch, *(side and -(-side // self.stride) for side in sides), EXPANSION * self.filters)

    def _run(self, inputs: Any, *, training: bool) -> tuple[Any, list[list[Any]]]:
        """The output, and what each norm has measured; changes no variable."""
        measured: dict[str, list[Any]] = {}

        def run(name: str, seen: Any) -> Any:
            found, measured[name] = self.norms[name].normalise(self.convs[name](seen), training=training)
            return found

        mixed = self._mix(ops.relu(run("reduce", inputs)), run)
        shortcut = run("shortcut", inputs) if "shortcut" in self.convs else inputs
        return ops.relu(run("expand", mixed) + shortcut), [measured[name] for name in self.norms]

    def _mix(self, seen: Any, run: Callable[[str, Any], Any]) -> Any:
        """S and T by the design."""
        space = ops.relu(run("spatial", seen))
        if self.temporal == "none":
            return space
        moved = run("time", seen if self.form == "B" else space)
        return ops.relu(moved if self.form == "A" else space + moved)

    def _time(self, shape: tuple[int | None, ...]) -> layers.Layer:
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
