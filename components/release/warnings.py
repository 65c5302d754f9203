"""What a reader should know before trusting a result: the report and the terminal say the same."""

from collections.abc import Iterable, Sequence

from components.release.gates.chance import above_chance
from components.release.report_text import below_baselines
from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import MAX_ALIKE, Alike, ClassScores, Clip
from reelflow.errors import some_of
from reelflow.params import ReleaseParams

SHOWN = 5


def warnings(
    params: ReleaseParams, chosen: Candidate, clips: Sequence[Clip], alike: Sequence[Alike]
) -> tuple[str, ...]:
    """Every warning about the chosen classifier.

    Args:
        params: whose gates are switched on.
        chosen: the classifier.
        clips: of the data set.
        alike: clips of different groups that look the same.

    Raises:
        BundleError: the scores are damaged.
    """
    groups = tested_groups(clips, chosen)
    found = (
        "" if params.require_above_chance or above_chance(chosen).is_clearly_better else BLIND,
        _unrecognised(chosen.report.per_class),
        _hardly_tested(chosen.report.per_class, params.min_class_clips),
        below_baselines(chosen.report.baselines),
        ONE_GROUP if len(groups) == 1 else "",
        _leaks(len(leaked_groups(clips, chosen))),
        _copies(alike, in_folds=chosen.report.training.protocol != "holdout"),
    )
    return tuple(text for text in found if text)


BLIND = "Warning: this classifier is not clearly better than always answering the most frequent class."
ONE_GROUP = (
    "All test clips come from one group: the intervals hold for more clips of that group, not for other "
    "groups."
)


def tested_groups(clips: Iterable[Clip], chosen: Candidate) -> set[str]:
    """Groups of the test clips."""
    tested = set(chosen.report.clip_ids)
    return {clip.group for clip in clips if clip.clip_id in tested}


def leaked_groups(clips: Sequence[Clip], chosen: Candidate) -> set[str]:
    """Groups that are in both the training and the test clips; empty for protocols with folds."""
    if chosen.report.training.protocol != "holdout":
        return set()
    return tested_groups(clips, chosen) & {clip.group for clip in clips if clip.split == "train"}


def _unrecognised(rows: Sequence[ClassScores]) -> str:
    """Classes that are recognised less often than by guessing."""
    low = [row for row in rows if row.support and row.recall < 1 / len(rows)]
    named = some_of(
        [f"{row.label} ({round(row.recall * row.support)} of {row.support} test clips)" for row in low], SHOWN
    )
    return f"Warning: hardly recognised, less often than by guessing: {named}." if low else ""


def _hardly_tested(rows: Sequence[ClassScores], least: int) -> str:
    few = [row for row in rows if row.support < least]
    named = some_of([f"{row.label} ({row.support})" for row in few], SHOWN)
    return f"Warning: fewer than {least} test clips, so that the figures say little: {named}." if few else ""


def _leaks(groups: int) -> str:
    if not groups:
        return ""
    were = "group is" if groups == 1 else "groups are"
    return (
        f"Warning: {groups} {were} both trained and tested on, so near-identical clips may be in both splits "
        "and make every figure too good."
    )


def _copies(alike: Sequence[Alike], *, in_folds: bool) -> str:
    """Pairs of which one clip may be trained on and the other one tested."""
    apart = [pair for pair in alike if in_folds or len({"test", *pair.splits}) == len(set(pair.splits)) == 2]
    if not apart:
        return ""
    least = "at least " if len(apart) >= MAX_ALIKE else ""
    named = some_of([" and ".join(pair.paths) for pair in apart], SHOWN)
    return (
        f"Warning: {least}{len(apart)} pair(s) of clips in different groups look the same and may be both "
        f"trained and tested on, which makes every figure too good: {named}. Give them one group "
        "in groups.csv."
    )
