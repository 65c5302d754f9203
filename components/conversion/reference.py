"""Keras's scores of the clips that parity is checked on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.evaluations import Candidate
from reelflow.backbones.interface import Backbone
from reelflow.contracts import TrainingReport
from reelflow.nets.saved import load_head
from reelflow.scoring import FrameReader
from reelflow.splitting.protocols import Protocol
from reelflow.video.preprocess import preprocess
from reelflow.video.views import VIEWS

if TYPE_CHECKING:
    import keras

MAX_SEEN_CLIPS = 200


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


def read_reference(candidate: Candidate, backbone: Backbone, frames: FrameReader) -> Reference:
    """The reference of a candidate.

    By `holdout` it is the evaluation on every test clip. By other protocols the deployed model was
    trained on all clips and not evaluated: it is run here, on the first `MAX_SEEN_CLIPS` by id.

    Raises:
        BundleError: scores, model or frames are damaged.
    """
    report = candidate.report
    if Protocol.parse(report.training.protocol).kind == "holdout":
        return Reference(report.clip_ids, report.truth, candidate.scores(), seen=False)
    deployed = report.training.deployed
    chosen = dict(sorted(zip(deployed.clip_ids, deployed.truth, strict=True))[:MAX_SEEN_CLIPS])
    model = load_head(candidate.model, sha256=report.model_sha256)
    scores = [_score(model, backbone, frames.read(clip), report.training) for clip in chosen]
    return Reference(tuple(chosen), tuple(chosen.values()), np.stack(scores), seen=True)


def _score(
    model: "keras.Model", backbone: Backbone, frames: NDArray[np.uint8], training: TrainingReport
) -> NDArray[np.float32]:
    """Probabilities `(classes,)` of RGB frames `(frames, height, width, 3)`, from all views."""
    spec = backbone.spec
    views = [preprocess(VIEWS[name](frames), spec.preprocessing) for name in training.views]
    codes = np.stack([backbone.embed(view) for view in views])
    if training.beside:
        codes = np.concatenate(codes, axis=-1)[None]  # (views, frames, dim) -> (1, frames, views * dim)
    features = codes.astype(np.float32) * np.float32(spec.scale)  # (views, frames, dim)
    scores: NDArray[np.float32] = model(features, training=False).numpy().mean(axis=0)
    return scores
