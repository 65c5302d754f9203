"""The networks by name: how many blocks, what mixes frames in time, how many channels.

P3D: Qiu, Yao, Mei 2017 (arXiv:1711.10305) and its Caffe definition
(github.com/ZhaofanQiu/pseudo-3d-residual-networks). ConvLSTM-C2D: study B, docs/study-b.md.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from reelflow.errors import ParamsError, WeightsError
from reelflow.files import exists
from reelflow.params import VideoParams

Temporal = Literal["conv", "conv_lstm", "none"]
TEMPORAL: tuple[Temporal, ...] = get_args(Temporal)

STEM = 64  # channels of conv1
STAGE_CHANNELS = (64, 128, 256, 512)
EXPANSION = 4
FLAT = 3
"""The stage without temporal layers: one frame is left there."""


@dataclass(frozen=True)
class Design:
    """A network, but for its input and classes.

    Attributes:
        temporal: what mixes frames: a 3x1x1 convolution, a ConvLSTM, or nothing.
        stages: blocks of conv2_x to conv5_x.
        width: multiplies every number of channels.
        recompute: the training computes each block again for its gradient, and keeps only the inputs.
    """

    temporal: Temporal
    stages: tuple[int, int, int, int]
    width: float = 1.0
    recompute: bool = False

    @property
    def depth(self) -> int:
        """Layers with weights, as the studies count them: shortcuts are left out."""
        timed = sum(self.stages[:FLAT]) if self.temporal != "none" else 0
        return 2 + 3 * sum(self.stages) + timed

    def channels(self, full: int) -> int:
        """Channels at this width, for `full` at width 1.

        Raises:
            ParamsError: none is left.
        """
        found = int(full * self.width)
        if found < 1:
            raise ParamsError(
                f"training.video.width is {self.width:g}, which leaves no channel of {full}: "
                f"set it to at least {1 / STEM:g}"
            )
        return found


SHALLOW, DEEP = (3, 4, 6, 3), (3, 8, 36, 3)
NETWORKS: Mapping[str, Design] = MappingProxyType(
    {
        "p3d_63": Design("conv", SHALLOW),
        "p3d_199": Design("conv", DEEP),
        "convlstm_c2d_63": Design("conv_lstm", SHALLOW),
        "convlstm_c2d_199": Design("conv_lstm", DEEP),
        "c2d_50": Design("none", SHALLOW),
    }
)
"""`c2d_50` is a ResNet-50 of every frame, averaged: what a network without motion reaches."""


def is_video_network(head: str) -> bool:
    """Whether a head is a network over pixels."""
    return head in NETWORKS


def chosen_design(head: str, params: VideoParams) -> Design:
    """The network of a name, with the width and the stages of the params.

    Raises:
        ParamsError: the width leaves no channels.
    """
    design = NETWORKS[head]
    chosen = replace(
        design, stages=params.stages or design.stages, width=params.width, recompute=params.recompute
    )
    chosen.channels(STEM)
    return chosen


def inflated_from(head: str, params: VideoParams) -> str | None:
    """The file of weights that a head starts from, if it is a video network and there is one."""
    return params.inflate if is_video_network(head) else None


def inflation_input(head: str, params: VideoParams) -> dict[str, Path]:
    """The file that a head starts from, as an input of the training step; empty where there is no file."""
    named = inflated_from(head, params)
    return {"inflate": Path(named)} if named and _is_file(Path(named)) else {}


def _is_file(path: Path) -> bool:
    """Whether it is a file, not a folder or a device; false for what cannot be looked at."""
    with suppress(OSError):
        return path.is_file()
    return False


def check_inflation(head: str, params: VideoParams) -> None:
    """See that a head can start from the weights that the params name, if it is a video network.

    Raises:
        ParamsError: it has other blocks or channels than ResNet-50.
        WeightsError: there is no such file.
    """
    named = inflated_from(head, params)
    if named is None:
        return
    design = chosen_design(head, params)
    if (design.stages, design.width) != (SHALLOW, 1):
        raise ParamsError(
            f"training.video.inflate names weights of ResNet-50, and {head} has {design.stages} blocks "
            f"and a width of {design.width:g}: train p3d_63, convlstm_c2d_63 or c2d_50 with "
            "training.video.stages null and width 1, or set inflate to null"
        )
    if not _is_file(Path(named)):
        found = "is no file" if exists(Path(named)) else "does not exist"
        raise WeightsError(
            f"{named} {found}: set training.video.inflate to the weights of "
            "keras.applications.ResNet50, or to null"
        )
