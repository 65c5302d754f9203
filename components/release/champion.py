"""Compares challenger and champion on the same test clips.

If the champion was evaluated on the same clips by the same protocol, its recorded scores are used: both
held these clips out. Any other champion is run on those of the challenger's test clips that it was not
trained on: its lineage names all its clips by content. Only where that was not recorded it may know some.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.evaluations import Candidate
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.contracts import BundleReport, Comparison
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.errors import BundleError, some_of
from reelflow.measures.comparison import RESAMPLES, SEED, compare
from reelflow.progress import emit
from reelflow.scoring import litert_scores
from reelflow.tracking.registry import Registry

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


@dataclass(frozen=True)
class HeldOut:
    """The challenger's test clips.

    Attributes:
        frames: of the clips.
        contents: the sha256 of each, by clip id.
        least: how many must be left without those that the champion was trained on.
    """

    frames: FrameStore
    contents: Mapping[str, str]
    least: int


@dataclass(frozen=True)
class ChampionAnswers:
    """The champion's answers on clips, `(clips,)` each.

    Attributes:
        right: whether each is right.
        rows: which of the challenger's test clips these are.
        may_know: whether it is not recorded what the champion was trained on.
    """

    right: Right
    rows: NDArray[np.intp]
    may_know: bool = False


def compare_with_champion(
    challenger: Candidate,
    bundle: BundleReport,
    registry: Registry,
    model_name: str,
    version: int,
    clips: HeldOut,
) -> Comparison | Incomparable:
    """Compare a challenger with the champion on the challenger's test clips.

    Args:
        challenger: its evaluation.
        bundle: the challenger's.
        registry: of the champion.
        model_name: of the registry.
        version: of the champion.
        clips: of the challenger.

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
            found: ChampionAnswers | Incomparable = _answers(kept.scores(), challenger)
        else:
            found = _run(champion, kept, challenger, clips, version)
        if isinstance(found, Incomparable):
            return found
    own = challenger.right()[found.rows]
    sizes = bundle.size_bytes / champion.report.size_bytes
    return _comparison(challenger, own, found, champion.report.name, version, sizes)


def trained_on(champion: Bundle, kept: Candidate | None) -> frozenset[str] | None:
    """The sha256 of every clip that a champion was trained or validated on; None if not recorded.

    By `holdout` these are its train and validation clips; by any other protocol its deployed model was
    trained on all clips, which is also assumed where its evaluation was not kept.
    """
    if not (champion.folder / LINEAGE).is_file():
        return None
    holdout = kept is not None and kept.report.training.protocol == "holdout"
    clips = Lineage.of_bundle(champion.folder).clips
    return frozenset(sha256 for sha256, _, _, _, split in clips if not (holdout and split == "test"))


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
    champion: Bundle,
    evaluation: Candidate | None,
    challenger: Candidate,
    clips: HeldOut,
    version: int,
) -> ChampionAnswers | Incomparable:
    """The champion's bundle on the challenger's test clips, without those that it was trained on."""
    asked, kept = champion.report.sampling.frames, clips.frames.report.count
    if asked != kept:
        return Incomparable(version, f"sees {asked} frames a clip, and this run kept {kept}")
    try:
        Classifier(champion)
        known = trained_on(champion, evaluation)
    except BundleError as error:
        emit("notice", message=f"the champion's bundle: {error}")
        return Incomparable(version, "cannot be run by this version of reelflow")
    ids = challenger.report.clip_ids
    rows = np.array([row for row, one in enumerate(ids) if clips.contents[one] not in (known or ())], np.intp)
    if len(rows) < clips.least and len(rows) < len(ids):
        return Incomparable(
            version,
            f"was trained on all but {len(rows)} of the {len(ids)} test clips, and "
            f"release.min_compared_clips asks for {clips.least} that neither was trained on",
        )
    emit("notice", message=f"running the champion, version {version}, on {len(rows)} test clips")
    scores = litert_scores(lambda: Classifier(champion), [ids[row] for row in rows], clips.frames)
    return _answers(scores, challenger, rows, may_know=known is None)


def _answers(
    scores: NDArray[np.float32],
    challenger: Candidate,
    rows: NDArray[np.intp] | None = None,
    *,
    may_know: bool = False,
) -> ChampionAnswers:
    truth = np.array(challenger.report.truth)
    rows = np.arange(len(truth)) if rows is None else rows
    return ChampionAnswers(scores.argmax(axis=1) == truth[rows], rows, may_know)


def _comparison(
    challenger: Candidate, own: Right, other: ChampionAnswers, champion: str, version: int, sizes: float
) -> Comparison:
    report = challenger.report
    groups = [report.groups[row] for row in other.rows]
    found = compare(own, other.right, groups, resamples=RESAMPLES, seed=SEED)
    fall, label = _largest_fall(own, other.right, np.array(report.truth)[other.rows])
    return Comparison(
        champion=champion,
        champion_version=version,
        clips=len(own),
        groups=len(set(groups)),
        accuracy=float(own.mean()),
        champion_accuracy=float(other.right.mean()),
        difference=found.difference,
        difference_interval=found.interval,
        only_challenger=found.only_a,
        only_champion=found.only_b,
        p_value=found.p_value,
        size_ratio=sizes,
        champion_may_know=other.may_know,
        left_out=len(report.truth) - len(own),
        class_fall=fall,
        fallen=report.labels[label],
        verdict="better" if found.is_clearly_better else "equal" if found.difference >= 0 else "worse",
    )


def _largest_fall(own: Right, other: Right, truth: NDArray[np.int64]) -> tuple[float, int]:
    """The largest loss of recall of a class that has clips, and the class."""
    falls = [
        (float(other[truth == label].mean() - own[truth == label].mean()), int(label))
        for label in np.unique(truth)
    ]
    return max(falls)
