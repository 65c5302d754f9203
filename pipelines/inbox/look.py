"""Decodes a clip of an inbox in a separate process, because devices may send anything."""

import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from components.dataset.probing import probe_clip
from reelflow.video.decode import sample_frames

FRAMES = 5
MAX_SIZE = (192, 144)
JPEG_QUALITY = 78


@dataclass(frozen=True)
class ClipLook:
    """A clip that decodes.

    Attributes:
        strip: a JPEG picture of a few frames, side by side.
    """

    sha256: str
    duration_s: float
    strip: bytes


def look(path: Path) -> ClipLook:
    """Decode a clip, and draw a few of its frames.

    Raises:
        ClipError: it cannot be used.
    """
    probed = probe_clip(path)
    frames = [Image.fromarray(frame) for frame in sample_frames(path, FRAMES)]
    for frame in frames:
        frame.thumbnail(MAX_SIZE)
    strip = Image.new("RGB", (sum(frame.width for frame in frames), frames[0].height))
    left = 0
    for frame in frames:
        strip.paste(frame, (left, 0))
        left += frame.width
    jpeg = io.BytesIO()
    strip.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return ClipLook(probed.sha256, probed.facts.duration_s, jpeg.getvalue())
