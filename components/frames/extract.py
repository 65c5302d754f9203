"""One clip to JPEG frames, in a separate process."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from components.frames.look import places_of, small, write_look
from reelflow.artifacts.frames import pack
from reelflow.contracts import Clip, Sha256
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
        sha256: of the JPEGs, one after another.
        look: a few frames as small pictures, as `write_look` writes them.
    """

    tar: bytes
    lengths: tuple[int, ...]
    size: tuple[int, int]
    sha256: Sha256
    look: str

    @classmethod
    def of(cls, clip_id: str, jpegs: Sequence[bytes], size: tuple[int, int], look: str) -> Self:
        """A clip's frames as JPEG, their width and height, and what they look like."""
        sha256 = hashlib.sha256(b"".join(jpegs)).hexdigest()
        return cls(pack(clip_id, jpegs), tuple(map(len, jpegs)), size, sha256, look)


def extract(task: tuple[Path, Clip, FramesParams]) -> Extracted:
    """Decode a clip once and encode its uniformly spread frames.

    Raises:
        ClipError: the clip cannot be decoded, or is not the one that the dataset step saw.
    """
    path, clip, params = task
    try:
        if not path.is_file():
            raise ClipError("it is missing since the dataset step")
        is_same = sha256_file(path) == clip.sha256
    except OSError as error:
        raise ClipError(f"it cannot be read: {error.strerror}") from error
    if not is_same:
        raise ClipError("its content changed since the dataset step")
    count = params.count * params.oversample
    keep = partial(_encode, quality=params.jpeg_quality)
    jpegs, sizes = zip(*sample(path, count, keep, expected_frames=clip.frame_count), strict=True)
    looked_at = (jpegs[place] for place in places_of(params.count, params.oversample))
    look = write_look([small(simplejpeg.decode_jpeg(jpeg)) for jpeg in looked_at])
    return Extracted.of(clip.clip_id, jpegs, sizes[0], look)


def _encode(frame: NDArray[np.uint8], *, quality: int) -> tuple[bytes, tuple[int, int]]:
    """`(height, width, 3) uint8` to a JPEG with full colour resolution, and its width and height."""
    height, width, _ = frame.shape
    upright = np.ascontiguousarray(frame)
    return simplejpeg.encode_jpeg(upright, quality=quality, colorsubsampling="444"), (width, height)
