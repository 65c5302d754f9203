"""Keras's scores of the clips that parity is checked on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.evaluations import TRAINING, Candidate
from reelflow.artifacts.predictions import read_predictions
from reelflow.splitting.protocols import Protocol

MAX_CLIPS = 500  # an agreement of 0.98 is then known to 0.6 %
MAX_SEEN_CLIPS = 50


@dataclass(frozen=True)
class Reference:
    """Clips and their scores by the deployed model in Keras.

    Attributes:
        clip_ids: the clips.
        truth: class index of each clip.
        scores: probabilities `(clips, classes) float32`, not scaled by the temperature.
        seen: the model was trained on these clips.
    """

    clip_ids: tuple[str, ...]
    truth: tuple[int, ...]
    scores: NDArray[np.float32]
    seen: bool

    def part(self, start: int, stop: int | None) -> "Reference":
        """Some of the clips, by place."""
        chosen = slice(start, stop)
        return Reference(self.clip_ids[chosen], self.truth[chosen], self.scores[chosen], self.seen)


def read_reference(candidate: Candidate, order: Sequence[str]) -> Reference:
    """The reference of a candidate.

    By `holdout` it is the evaluation on `MAX_CLIPS` test clips at most. By other protocols the deployed model
    was trained on all clips: its scores of `MAX_SEEN_CLIPS`, from the training step. The first in order
    are taken: those of few shards, and a random sample, because the shard of a clip is chosen by its hash.

    Args:
        candidate: the classifier.
        order: every clip, shard by shard.

    Raises:
        BundleError: scores are missing or altered.
    """
    report = candidate.report
    if Protocol.parse(report.training.protocol).kind == "holdout":
        return _first(MAX_CLIPS, order, report.clip_ids, report.truth, candidate.scores(), seen=False)
    deployed = report.training.deployed
    scores = read_predictions(candidate.folder / TRAINING, deployed, len(report.labels))
    return _first(MAX_SEEN_CLIPS, order, deployed.clip_ids, deployed.truth, scores, seen=True)


def _first(
    count: int,
    order: Sequence[str],
    clip_ids: Sequence[str],
    truth: Sequence[int],
    scores: NDArray[np.float32],
    *,
    seen: bool,
) -> Reference:
    """Of these clips the first in order."""
    places = {clip_id: place for place, clip_id in enumerate(order)}
    rows = sorted(range(len(clip_ids)), key=lambda row: places.get(clip_ids[row], len(order)))[:count]
    chosen = tuple(clip_ids[row] for row in rows)
    return Reference(chosen, tuple(truth[row] for row in rows), scores[rows], seen)
