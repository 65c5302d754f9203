"""A few test clips as strips of small frames, with their predictions."""

import base64
import io
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.artifacts.evaluations import Candidate
from reelflow.artifacts.frames import FrameStore
from reelflow.contracts import Clip

CLIPS = 12
MOST_WRONG = 8
FRAMES = 5
MAX_SIZE = (160, 120)
JPEG_QUALITY = 78


@dataclass(frozen=True)
class Strip:
    """One clip: its path, its frames as data URIs, its class, and the prediction."""

    path: str
    group: str
    frames: tuple[str, ...]
    actual: str
    predicted: str
    score: float

    @property
    def is_right(self) -> bool:
        """Whether the prediction is the clip's class."""
        return self.actual == self.predicted


def strips(candidate: Candidate, clips: Mapping[str, Clip], store: FrameStore) -> list[Strip]:
    """About a dozen test clips, wrong ones first."""
    report, scores = candidate.report, candidate.scores()
    return [
        Strip(
            path=clips[clip_id].path,
            group=clips[clip_id].group,
            frames=tuple(thumbnails(store.read(clip_id, count=FRAMES))),
            actual=report.labels[report.truth[row]],
            predicted=report.labels[int(scores[row].argmax())],
            score=float(scores[row].max()),
        )
        for row in choose(scores, np.array(report.truth))
        if (clip_id := report.clip_ids[row]) in store
    ]


def choose(scores: NDArray[np.float32], truth: NDArray[np.int64]) -> list[int]:
    """Rows to show: up to eight wrong ones, then right ones; classes alternate, most confident first."""
    order = np.argsort(-scores.max(axis=1), kind="stable")
    is_right = scores.argmax(axis=1) == truth
    wrong = _in_turns([int(row) for row in order if not is_right[row]], truth)
    right = _in_turns([int(row) for row in order if is_right[row]], truth)
    return (wrong[: max(MOST_WRONG, CLIPS - len(right))] + right)[:CLIPS]


def _in_turns(rows: list[int], truth: NDArray[np.int64]) -> list[int]:
    """The first row of every class, then the second ones, and so on."""
    seen: Counter[int] = Counter()
    turns: dict[int, int] = {}
    for row in rows:
        turns[row] = seen[int(truth[row])]
        seen[int(truth[row])] += 1
    return sorted(rows, key=lambda row: turns[row])


def thumbnails(frames: NDArray[np.uint8]) -> list[str]:
    """Frames `(count, height, width, 3)` as small JPEG data URIs."""
    return [_data_uri(frame) for frame in frames]


def _data_uri(frame: NDArray[np.uint8]) -> str:
    image = Image.fromarray(frame)
    image.thumbnail(MAX_SIZE)
    jpeg = io.BytesIO()
    image.save(jpeg, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.getvalue()).decode()
