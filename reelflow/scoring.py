"""Scores many clips with LiteRT, from decoded frames."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.classifier import Classifier
from reelflow.progress import track
from reelflow.workers.cpus import granted_cpus


class FrameReader(Protocol):
    """Reads the frames of a clip; must be thread-safe."""

    def read(self, clip_id: str) -> NDArray[np.uint8]:
        """RGB frames `(frames, height, width, 3)`."""
        ...


def litert_scores(
    load: Callable[[], Classifier],
    clip_ids: Sequence[str],
    frames: FrameReader,
    *,
    workers: int | None = None,
) -> NDArray[np.float32]:
    """Classify clips as a device does, from their frames on.

    Args:
        load: creates one classifier per worker.
        clip_ids: at least one clip.
        frames: of the clips.
        workers: threads; one a CPU by default.

    Returns:
        Probabilities `(clips, classes) float32`.
    """
    own = threading.local()

    def score(clip_id: str) -> NDArray[np.float32]:
        if not hasattr(own, "classifier"):
            own.classifier = load()
        scores: NDArray[np.float32] = own.classifier.scores_from_frames(frames.read(clip_id))
        return scores

    with ThreadPoolExecutor(workers or granted_cpus()) as pool:
        return np.stack(list(track(pool.map(score, clip_ids), len(clip_ids), "clips")))
