"""From a clip to class probabilities, with only a bundle."""

import json
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from reelflow.edge.bundle import BACKBONE, HEAD, Bundle
from reelflow.edge.runtime import InterpreterTeam, Network
from reelflow.errors import BundleError
from reelflow.measures.scaling import scale_scores
from reelflow.video.decode import sample
from reelflow.video.preprocess import preprocess, to_input
from reelflow.video.views import PLAIN, VIEWS, is_spatial

LEAST_WINDOW_S, MOST_WINDOW_S = 0.01, 3600.0
"""Seconds that one answer may cover."""


class Answer(NamedTuple):
    """The best class of some scores.

    Attributes:
        label: the most probable class.
        score: its probability.
        rejected: the score is too low for an answer: `label` is the best guess.
    """

    label: str
    score: float
    rejected: bool

    def same_as(self, other: "Answer") -> bool:
        """Whether both give the same answer, with any scores."""
        return (self.label, self.rejected) == (other.label, other.rejected)


@dataclass(frozen=True)
class Classification:
    """The prediction for a clip.

    Attributes:
        clip: the path as given.
        label: the most probable class.
        score: its probability.
        rejected: the score is too low for an answer: `label` is the best guess.
        scores: probability of every class.
        seconds: from opening the clip to the scores.
    """

    clip: str
    label: str
    score: float
    rejected: bool
    scores: dict[str, float]
    seconds: float

    def json_line(self, clip: str) -> str:
        """What `reelflow classify --json` prints of a clip of this name."""
        names = ("label", "rejected", "scores", "seconds")
        return json.dumps({"clip": clip} | {name: getattr(self, name) for name in names})


class Classifier:
    """A bundle, loaded. Not thread-safe: every worker has its own.

    Attributes:
        report: the bundle's `bundle.json`.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Load the networks of a bundle.

        Args:
            bundle: a checked bundle.
            threads: that LiteRT computes with.

        Raises:
            BundleError: a network cannot be loaded, or does not match the bundle.
        """
        self.report = bundle.report
        listed = {name: file.sha256 for name, file in self.report.files.items()}  # none in a draft
        has_network = self.report.backbone_quantization != "none"
        backbone, expected = bundle.path(BACKBONE), listed.get(BACKBONE, "")
        self._backbone = Network(backbone, threads=threads, sha256=expected) if has_network else None
        self._team = InterpreterTeam(backbone, threads, expected) if has_network and threads > 1 else None
        self._head = Network(bundle.path(HEAD), threads=threads, sha256=listed.get(HEAD, ""))
        self._check_views()
        self._check_backbone()
        self._check_head()

    def classify(self, clip: Path) -> Classification:
        """Decode a clip and classify it.

        Raises:
            ClipError: the clip cannot be decoded.
        """
        started = time.perf_counter()
        codes = np.stack(
            self._codes_of_clip(clip), axis=1
        )  # frames of (views, width) -> (views, frames, width)
        scores = self.calibrated(self.scores_from_views(codes))
        return Classification(
            clip=str(clip),
            **self.answer(scores)._asdict(),
            scores=dict(zip(self.report.labels, scores.tolist(), strict=True)),
            seconds=time.perf_counter() - started,
        )

    def answer(self, scores: NDArray[np.floating]) -> Answer:
        """The answer from calibrated scores `(classes,)`."""
        best = int(scores.argmax())
        score = float(scores[best])
        return Answer(self.report.labels[best], score, rejected=score < self.report.reject_below)

    def calibrated(self, scores: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw scores `(classes,)` scaled by the bundle's temperature: calibrated probabilities."""
        scaled: NDArray[np.float32] = scale_scores(scores[None], self.report.temperature)[0]  # (1, classes)
        return scaled

    def scores_from_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Raw scores `(classes,) float32` of RGB frames `(frames, height, width, 3)`, from all views."""
        return self.scores_from_views(self.codes_of_views(frames))

    def codes_of_views(self, frames: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes `(views, frames, width)` of RGB frames, for each view whose scores are averaged."""
        return self._codes_of_views(self._backbone, frames)

    def scores_from_views(self, codes: NDArray[np.generic]) -> NDArray[np.float32]:
        """Raw scores `(classes,) float32` of codes `(views, frames, width)`, averaged over views."""
        scores = [self.scores_from_features(view) for view in codes]
        mean: NDArray[np.float32] = np.mean(
            scores, axis=0, dtype=np.float32
        )  # (views, classes) -> (classes,)
        return mean

    def codes_from_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes `(frames, width)`, as the head takes them, of RGB frames `(frames, h, w, 3)` of any size.

        As wide as the backbone's, times the views where the head sees them side by side.
        """
        return self._codes_from(self._backbone, frames)

    def codes_from_preprocessed(self, frames: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes `(frames, dim)` of frames `(frames, height, width, channels)` in the backbone's size."""
        return np.stack([self._embed(self._backbone, frame[None]) for frame in frames])

    def scores_from_features(self, codes: NDArray[np.generic]) -> NDArray[np.float32]:
        """Uncalibrated probabilities `(classes,) float32` of the head for codes `(frames, width)`.

        Raises:
            BundleError: the head returns NaN or infinity.
        """
        features = codes.astype(np.float32) * np.float32(self.report.backbone.scale)
        scores: NDArray[np.float32] = self._head(features[None])[0].astype(
            np.float32
        )  # (1, frames, dim) -> (classes,)
        if not np.isfinite(scores).all():
            raise BundleError("the head returns NaN or infinity: export the bundle again")
        return scores

    def _codes_of_clip(self, clip: Path) -> list[NDArray[np.generic]]:
        """Codes `(views, width)` of each frame of a clip; memory holds a few frames, not all."""
        count = self.report.sampling.frames
        if self._team is None:
            return sample(clip, count, partial(self._codes_of_frame, self._backbone))
        with self._team.hired(self._codes_of_frame) as give:
            return [codes.result() for codes in sample(clip, count, give)]

    def _codes_of_frame(self, backbone: Network | None, frame: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes `(views, width)` of one RGB frame `(height, width, 3)`."""
        return self._codes_of_views(backbone, frame[None])[:, 0]  # (views, 1, width)

    def _codes_of_views(self, backbone: Network | None, frames: NDArray[np.uint8]) -> NDArray[np.generic]:
        sampling = self.report.sampling
        views = (PLAIN,) if sampling.beside else sampling.views
        return np.stack([self._codes_from(backbone, VIEWS[name](frames)) for name in views])

    def _codes_from(self, backbone: Network | None, frames: NDArray[np.uint8]) -> NDArray[np.generic]:
        sampling, how = self.report.sampling, self.report.backbone.preprocessing
        views = [VIEWS[name](frames) for name in (sampling.views if sampling.beside else (PLAIN,))]
        parts = [
            np.stack([self._embed(backbone, preprocess(one[None], how)) for one in view]) for view in views
        ]
        return np.concatenate(parts, axis=-1)

    def _embed(self, backbone: Network | None, frame: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Codes `(dim,)` of one preprocessed frame `(1, height, width, channels)`."""
        if backbone is None:
            return frame.reshape(-1)  # (1, height, width, channels) -> (dim,)
        found = backbone(to_input(frame, self.report.backbone.preprocessing))
        return found.reshape(-1).astype(self.report.backbone.dtype)  # (1, dim) -> (dim,)

    def _check_views(self) -> None:
        views = self.report.sampling.views
        if foreign := sorted(name for name in views if not is_spatial(name)):
            raise BundleError(
                f"the bundle names the views {', '.join(foreign)}, which this reelflow does not compute: "
                "install the version that made it, or train with other views"
            )
        if not views:
            raise BundleError("the bundle names no view of a clip, expected plain at least: export it again")

    def _check_backbone(self) -> None:
        spec = self.report.backbone
        how = spec.preprocessing
        shape = (1, how.height, how.width, 3 if how.color == "rgb" else 1)
        if self._backbone is None:
            _expect("the preprocessed frame", (int(np.prod(shape)), "uint8"), (spec.dim, spec.dtype))
            return
        taken = "uint8" if how.value_range is None else "float32"
        given = "uint8" if spec.dtype == "uint8" else "float32"
        network = self._backbone
        _expect(f"{BACKBONE}'s input", (network.input_shape, network.input_dtype.name), (shape, taken))
        found = (int(np.prod(network.output_shape)), network.output_dtype.name)
        _expect(f"{BACKBONE}'s output", found, (spec.dim, given))

    def _check_head(self) -> None:
        sampling = self.report.sampling
        features = (1, sampling.frames, sampling.width(self.report.backbone.dim))
        scores = (1, len(self.report.labels))
        head = self._head
        _expect(f"{HEAD}'s input", (head.input_shape, head.input_dtype.name), (features, "float32"))
        _expect(f"{HEAD}'s output", (head.output_shape, head.output_dtype.name), (scores, "float32"))


def _expect(what: str, found: tuple[object, str], expected: tuple[object, str]) -> None:
    if found != expected:
        raise BundleError(f"{what} is {found}, but bundle.json says {expected}: export the bundle again")
