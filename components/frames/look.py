"""What a clip looks like: a few of its frames as small grey pictures. `<shard>.looks.json` beside a shard."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.documents import Document
from reelflow.video.sample import uniform_indices

FRAMES, WIDTH, HEIGHT = 5, 24, 18

Grey = NDArray[np.uint8]


class Looks(Document):
    """The clips of a shard, by id, as `write_look` writes them."""

    clips: dict[str, str]


def looks_path(tar: Path) -> Path:
    """Path of the looks of a shard."""
    return tar.with_suffix(".looks.json")


def places_of(count: int, oversample: int) -> list[int]:
    """Places of the frames to look at among those that are kept of a clip; some twice if there are few.

    Args:
        count: plain frames of a clip.
        oversample: frames kept for each of them.
    """
    plain = uniform_indices(count, min(FRAMES, count))
    chosen = [plain[place * len(plain) // FRAMES] for place in range(FRAMES)]
    return [int(place) * oversample + oversample // 2 for place in chosen]


def small(frame: NDArray[np.uint8]) -> Grey:
    """`(height, width, 3)` to `(HEIGHT * WIDTH,)`."""
    picture = Image.fromarray(frame).convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return np.asarray(picture, np.uint8).ravel()


def write_look(pictures: Sequence[Grey]) -> str:
    """As text."""
    return b64encode(np.stack(pictures).tobytes()).decode()


def read_look(text: str) -> Grey:
    """`(FRAMES, HEIGHT * WIDTH)`.

    Raises:
        ValueError: the text is none of `write_look`.
    """
    return np.frombuffer(b64decode(text, validate=True), np.uint8).reshape(FRAMES, HEIGHT * WIDTH)
