"""One clip to JPEG frames, in a separate process."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from reelflow.artifacts.frames import pack
from reelflow.contracts import Clip
from reelflow.errors import ClipError
from reelflow.files import sha256_file
from reelflow.params import FramesParams
from reelflow.video.decode import sample


@dataclass(frozen=True)
class Extracted:
    """Frames of a clip as a member of a tar.

    Attributes:
        tar: the JPEGs, as one member.
        lengths: bytes of each JPEG.
        size: width and height.
    """

    tar: bytes
    lengths: tuple[int, ...]
    size: tuple[int, int]

    @classmethod
    def of(cls, clip_id: str, jpegs: Sequence[bytes], size: tuple[int, int]) -> Self:
        """A clip's frames as JPEG, and their width and height."""
        return cls(pack(clip_id, jpegs), tuple(map(len, jpegs)), size)


def extract(task: tuple[Path, Clip, FramesParams]) -> Extracted:
    """Decode a clip once and encode its uniformly spread frames.

    Raises:
        ClipError: the clip cannot be decoded, or is not the one that the dataset step saw.
    """
    path, clip, params = task
    if not path.is_file():
        raise ClipError("it is missing since the dataset step")
    try:
        is_same = sha256_file(path) == clip.sha256
    except OSError as error:
        raise ClipError(f"it cannot be read: {error.strerror}") from error
    if not is_same:
        raise ClipError("its content changed since the dataset step")
    count = params.count * params.oversample
    keep = partial(_encode, quality=params.jpeg_quality)
    jpegs, sizes = zip(*sample(path, count, keep, expected_frames=clip.frame_count), strict=True)
    return Extracted.of(clip.clip_id, jpegs, sizes[0])


def _encode(frame: NDArray[np.uint8], *, quality: int) -> tuple[bytes, tuple[int, int]]:
    """`(height, width, 3) uint8` to a JPEG with full colour resolution, and its width and height."""
    height, width, _ = frame.shape
    upright = np.ascontiguousarray(frame)
    return simplejpeg.encode_jpeg(upright, quality=quality, colorsubsampling="444"), (width, height)
