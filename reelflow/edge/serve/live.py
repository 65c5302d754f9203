"""The newest picture as a small JPEG: made when it is asked for, and once for all who ask."""

import io
import secrets
import time
from collections.abc import Callable
from threading import Lock
from typing import NamedTuple

from PIL import Image

from reelflow.edge.serve.board import Board, Picture

LARGEST = (640, 640)
QUALITY = 75
EVERY_S = 0.2


class LivePicture(NamedTuple):
    """An encoded picture.

    Attributes:
        tag: changes with the picture, and with the process.
        jpeg: its bytes.
        age_s: of the picture, now.
    """

    tag: str
    jpeg: bytes
    age_s: float


class LiveCamera:
    """Encodes at most one picture every `EVERY_S`, however many ask. Nothing waits in a queue."""

    def __init__(self, board: Board, now: Callable[[], float] = time.monotonic) -> None:
        """No picture has been made."""
        self._board, self._now = board, now
        self._run = secrets.token_hex(4)
        self._lock = Lock()
        self._made: tuple[Picture, bytes] | None = None
        self._made_s = 0.0

    def newest(self) -> LivePicture | None:
        """The newest picture; None before the first."""
        with self._lock:
            picture = self._board.picture
            if picture is None:
                return None
            now_s = self._now()
            if self._made is None or (
                self._made[0].number != picture.number and now_s - self._made_s >= EVERY_S
            ):
                self._made, self._made_s = (picture, _jpeg(picture)), now_s
            shown, jpeg = self._made
        return LivePicture(f'"{self._run}-{shown.number}"', jpeg, max(self._now() - shown.taken_s, 0.0))


def _jpeg(picture: Picture) -> bytes:
    image = Image.fromarray(picture.image)
    image.thumbnail(LARGEST, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
