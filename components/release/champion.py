"""Compares challenger and champion on the same test clips.

If the champion was evaluated on the same clips by the same protocol, its recorded scores are used: both
held these clips out. Any other champion is run on the challenger's test clips. It may have been
trained on some of them, which favours the champion and makes a promotion harder.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.evaluations import Candidate
from reelflow.artifacts.frames import FrameStore
from reelflow.contracts import BundleReport, Comparison
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError, some_of
from reelflow.measures.comparison import compare
from reelflow.progress import emit
from reelflow.scoring import litert_scores
from reelflow.tracking.registry import Registry

RESAMPLES, SEED = 10_000, 1
SMALLER = 0.99  # above this ratio, the difference may be only metadata
NAMED_LABELS = 4

Right = NDArray[np.bool_]


@dataclass(frozen=True)
class Incomparable:
    """A champion that stays because it cannot be compared.

    Attributes:
        version: of the champion.
        reason: text that follows `version 3, the champion,`.
    """

    version: int
    reason: str


def compare_with_champion(
    challenger: Candidate,
    bundle: BundleReport,
    registry: Registry,
    model_name: str,
    version: int,
    frames: FrameStore,
) -> Comparison | Incomparable:
    """Compare a challenger with the champion on the challenger's test clips.

    Args:
        challenger: its evaluation.
        bundle: the challenger's.
        registry: of the champion.
        model_name: of the registry.
        version: of the champion.
        frames: of the clips.

    Raises:
        BundleError: the challenger's scores or frames are damaged.
        TrackingError: the registry refuses or is not reachable.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            champion = open_bundle(registry.bundle(model_name, version, Path(folder, "model")))
        except BundleError as error:
            emit("notice", message=f"the champion's bundle: {error}")
            return Incomparable(version, "is damaged or of another version of reelflow")
        if champion.report.labels != challenger.report.labels:
            return Incomparable(
                version, f"knows other classes ({some_of(champion.report.labels, NAMED_LABELS)})"
            )
        kept = _kept(registry, model_name, version, Path(folder, "evaluation"))
        if kept is not None and _same_test(kept, challenger):
            right, may_know = _right(kept.scores(), challenger), False
        else:
            scores = _run(champion, challenger.report.clip_ids, frames, version)
            if isinstance(scores, Incomparable):
                return scores
            right, may_know = _right(scores, challenger), True
    own = _right(challenger.scores(), challenger)
    sizes = bundle.size_bytes / champion.report.size_bytes
    return _comparison(own, right, challenger.report.groups, champion.report.name, version, sizes, may_know)


def replaces(comparison: Comparison) -> bool:
    """Whether the challenger replaces the champion: better beyond noise, or equal and smaller."""
    if comparison.verdict == "equal":
        return comparison.size_ratio < SMALLER
    return comparison.verdict == "better"


def _kept(registry: Registry, model_name: str, version: int, folder: Path) -> Candidate | None:
    """The recorded evaluation of the champion, if it is readable."""
    try:
        kept = registry.evaluation(model_name, version, folder)
        if kept is not None:
            kept.scores()
    except BundleError as error:
        emit("notice", message=f"the champion's evaluation is not used: {error}")
        return None
    return kept


def _same_test(kept: Candidate, challenger: Candidate) -> bool:
    """Whether both were measured on the same clips, held out in the same way."""
    one, other = kept.report, challenger.report
    return (one.data_hash, one.training.protocol, one.clip_ids, one.truth) == (
        other.data_hash,
        other.training.protocol,
        other.clip_ids,
        other.truth,
    )


def _run(
    champion: Bundle, clip_ids: Sequence[str], store: FrameStore, version: int
) -> NDArray[np.float32] | Incomparable:
    """Scores `(clips, classes) float32` of the champion's bundle."""
    asked, kept = champion.report.sampling.frames, store.report.count
    if asked != kept:
        return Incomparable(version, f"sees {asked} frames a clip, and this run kept {kept}")
    try:
        Classifier(champion)
    except BundleError as error:
        emit("notice", message=f"the champion's bundle: {error}")
        return Incomparable(version, "cannot be run by this version of reelflow")
    emit("notice", message=f"running the champion, version {version}, on {len(clip_ids)} test clips")
    return litert_scores(lambda: Classifier(champion), clip_ids, store)


def _right(scores: NDArray[np.float32], challenger: Candidate) -> Right:
    right: Right = scores.argmax(axis=1) == np.array(challenger.report.truth)
    return right


def _comparison(
    own: Right, other: Right, groups: Sequence[str], champion: str, version: int, sizes: float, may_know: bool
) -> Comparison:
    found = compare(own, other, groups, resamples=RESAMPLES, seed=SEED)
    return Comparison(
        champion=champion,
        champion_version=version,
        clips=len(own),
        groups=len(set(groups)),
        accuracy=float(own.mean()),
        champion_accuracy=float(other.mean()),
        difference=found.difference,
        difference_interval=found.interval,
        only_challenger=found.only_a,
        only_champion=found.only_b,
        p_value=found.p_value,
        size_ratio=sizes,
        champion_may_know=may_know,
        verdict="better" if found.is_clearly_better else "equal" if found.difference >= 0 else "worse",
    )
