"""Views of a clip: the same frames mirrored, cropped, lighter or darker, or taken a moment apart.

A view is applied to whole frames, before they are resized, and to all frames of a clip alike: what
moves between two frames is motion, and no jitter of the view. Frame views are computed from the
plain frames, on a device too. Time views are the plain view of other frames, which the frames step
keeps on both sides of each plain one if `frames.oversample` is 3 or more.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from reelflow.errors import ParamsError

Frames = NDArray[np.uint8]
View = Callable[[Frames], Frames]

PLAIN = "plain"
FARTHEST = 4  # frames kept on one side of a plain one, at most


def plain(frames: Frames) -> Frames:
    """The unchanged frames."""
    return frames


def flip(frames: Frames) -> Frames:
    """Mirror left and right."""
    width = frames.shape[2]
    return np.take(frames, np.arange(width - 1, -1, -1), axis=2)  # three times faster than frames[:, :, ::-1]


def crop(frames: Frames, *, width: float, height: float, right: float = 0.5, down: float = 0.5) -> Frames:
    """Cut a part out of every frame.

    Args:
        frames: `(n, h, w, 3)`.
        width: of the part, as a fraction of the frame's.
        height: of the part, as a fraction of the frame's.
        right: horizontal position: 0 at the left edge, 1 at the right edge.
        down: vertical position: 0 at the top, 1 at the bottom.

    Returns:
        `(n, round(height * h), round(width * w), 3)`, one pixel at least.
    """
    _, h, w, _ = frames.shape
    rows, columns = max(1, round(height * h)), max(1, round(width * w))
    top, left = round((h - rows) * down), round((w - columns) * right)
    return frames[:, top : top + rows, left : left + columns]


def light(frames: Frames, *, gain: float, around: int = 0) -> Frames:
    """Scale the distance of every level, 0 .. 255, to the level `around`."""
    levels = around + gain * (np.arange(256) - around)
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8).tobytes()
    return np.frombuffer(frames.tobytes().translate(table), np.uint8).reshape(frames.shape)


def _mirrored(view: View) -> View:
    return lambda frames: flip(view(frames))


CROPS: Mapping[str, View] = {
    "crop": partial(crop, width=7 / 8, height=7 / 8),
    "closer": partial(crop, width=0.7, height=0.7),
    "left": partial(crop, width=0.6, height=1, right=0),
    "right": partial(crop, width=0.6, height=1, right=1),
}
TILES: Mapping[str, View] = {
    f"tile_{row + 1}{column + 1}": partial(crop, width=0.42, height=0.42, right=column / 2, down=row / 2)
    for row in range(3)
    for column in range(3)
}
FRAME_VIEWS: Mapping[str, View] = MappingProxyType(
    {
        PLAIN: plain,
        "flip": flip,
        **CROPS,
        **{f"{name}+flip": _mirrored(view) for name, view in CROPS.items()},
        **TILES,
        "brighter": partial(light, gain=1.25),
        "darker": partial(light, gain=0.8),
        "contrast": partial(light, gain=1.25, around=128),
    }
)
"""Views that are computed from the plain frames: `(n, h, w, 3) uint8`, RGB, to frames of any size."""

TIME_VIEWS: Mapping[str, int] = MappingProxyType(
    {
        f"{name}{step if step > 1 else ''}": sign * step
        for step in range(1, FARTHEST + 1)
        for name, sign in (("earlier", -1), ("later", 1))
    }
)
"""Offsets of views in time: `earlier` -1, `later` 1, `earlier2` -2, ... frames of those that were kept."""

VIEWS: Mapping[str, View] = MappingProxyType({**FRAME_VIEWS, **dict.fromkeys(TIME_VIEWS, plain)})
"""The function of each view, applied to the frames at its offset in time."""


def offset_of(name: str) -> int:
    """Offset of a view's frames from the plain ones, in kept frames; negative for earlier ones."""
    return TIME_VIEWS.get(name, 0)


def is_spatial(name: str) -> bool:
    """Whether the plain frames are enough to compute a view, as on a device."""
    return name in FRAME_VIEWS


def check_views(names: Sequence[str], oversample: int) -> None:
    """Check that views can be computed from frames with this `oversample`.

    Raises:
        ParamsError: a name is unknown or duplicated, plain is not the first, or a time view asks for
            frames that were not kept.
    """
    unknown = sorted(set(names) - set(VIEWS))
    if unknown:
        raise ParamsError(f"unknown view {', '.join(unknown)}; known ones are {', '.join(VIEWS)}")
    if not names or names[0] != PLAIN or len(set(names)) < len(names):
        raise ParamsError(
            f"found features.views [{', '.join(names)}], expected plain first and each view once: correct it"
        )
    farthest = max(names, key=lambda name: abs(offset_of(name)))
    needed = 2 * abs(offset_of(farthest)) + 1
    if needed > oversample:
        raise ParamsError(
            f"view {farthest} needs {needed} frames kept for each one and frames.oversample is {oversample}: "
            f"set it to {needed}, or leave the view out"
        )
