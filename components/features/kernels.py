"""Which kernels compute the codes of a quantised network on this machine.

XNNPACK and LiteRT choose kernels by the CPU, and these round differently: 41 % of the codes of MobileNetV2
differ between two kernel sets of one machine. CPU flags do not name the choice, which changes with the
runtime. The codes of a fixed frame do: other kernels give other codes, and threads change nothing. Codes of
a float network differ by less than their own rounding, and have no such mark.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from reelflow.backbones.interface import Backbone
from reelflow.contracts import Preprocessing

LETTERS = 16


def kernels_of(network: Backbone) -> str:
    """A hash of the codes of a fixed frame; empty for a network whose codes are no integers, and for none."""
    spec = network.spec
    if spec.weights_sha256 is None or spec.dtype != "uint8":
        return ""
    codes = network.embed(fixed_frame(spec.preprocessing))
    return hashlib.sha256(codes.tobytes()).hexdigest()[:LETTERS]


def fixed_frame(how: Preprocessing) -> NDArray[np.uint8]:
    """A preprocessed frame `(1, height, width, channels)` with edges and gradients; always the same."""
    y, x = np.mgrid[: how.height, : how.width]
    channels = [x * 7 + y * 3, x * x // 31 + y, x * y // 17][: 3 if how.color == "rgb" else 1]
    return np.stack(channels, axis=-1)[None].astype(np.uint8)  # wraps at 256
