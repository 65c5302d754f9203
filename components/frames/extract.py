"""One clip to JPEG frames: runs in a process of its own."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.contracts import Clip
from reelflow.errors import ClipError
from reelflow.files import sha256_file
from reelflow.params import FramesParams
from reelflow.video.decode import sample_frames


@dataclass(frozen=True)
class Extracted:
    """Frames of a clip as JPEG, and their width and height."""

    jpegs: tuple[bytes, ...]
    size: tuple[int, int]


def extract(task: tuple[Path, Clip, FramesParams]) -> Extracted:
    """Decode a clip once and encode its uniformly spread frames.

    Raises:
        ClipError: the clip cannot be decoded, or is not the one that the dataset step saw.
    """
    path, clip, params = task
    if not path.is_file():
        raise ClipError("it is missing since the dataset step")
    if sha256_file(path) != clip.sha256:
        raise ClipError("its content changed since the dataset step")
    frames = sample_frames(path, params.count * params.oversample, expected_frames=clip.frame_count)
    height, width = frames.shape[1:3]
    return Extracted(tuple(_jpeg(frame, params.jpeg_quality) for frame in frames), (width, height))


def _jpeg(frame: NDArray[np.uint8], quality: int) -> bytes:
    """`(height, width, 3) uint8` to a JPEG with full colour resolution."""
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=quality, subsampling="4:4:4")
    return buffer.getvalue()
