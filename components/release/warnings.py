"""What a reader should know before trusting a result: the report and the terminal say the same."""

from collections.abc import Iterable, Sequence

from components.release.gates.chance import above_chance
from components.release.report_text import below_baselines
from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import MAX_ALIKE, Alike, ClassScores, Clip, FramesReport
from reelflow.errors import some_of
from reelflow.params import ReleaseParams
from reelflow.splitting.straddling import Straddling, across_folds

SHOWN = 5


def warnings(
    params: ReleaseParams, chosen: Candidate, clips: Sequence[Clip], frames: FramesReport
) -> tuple[str, ...]:
    """Every warning about the chosen classifier.

    Args:
        params: whose gates are switched on.
        chosen: the classifier.
        clips: of the data set.
        frames: what could not be decoded, and clips of different groups that look the same.

    Raises:
        BundleError: the scores are damaged.
    """
    groups = tested_groups(clips, chosen)
    in_test, in_validation = straddling(clips, frames, chosen)
    found = (
        "" if params.require_above_chance or above_chance(chosen).is_clearly_better else BLIND,
        _unrecognised(chosen.report.per_class),
        _hardly_tested(chosen.report.per_class, params.min_class_clips),
        below_baselines(chosen.report.baselines),
        ONE_GROUP if len(groups) == 1 else "",
        _known_in_test(in_test),
        _known_in_validation(in_validation),
        _copies(frames.alike, in_folds=chosen.report.training.protocol != "holdout"),
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


def straddling(
    clips: Iterable[Clip], frames: FramesReport, chosen: Candidate
) -> tuple[Straddling | None, Straddling | None]:
    """Groups on both sides of the cut of the test clips, and of that of the validation clips."""
    undecoded = {rejected.path for rejected in frames.quarantined}
    training = chosen.report.training
    used = [clip for clip in clips if clip.path not in undecoded]
    return across_folds(used, training.test, training.validation)


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


def _known_in_test(found: Straddling | None) -> str:
    if not found:
        return ""
    return (
        f"Warning: {found.groups} group(s) are both tested and trained or validated on: {found.clips} of "
        f"{found.of} test clips have others of their group there, such as {' and '.join(found.example)}. "
        "Every figure is too good: it does not hold for clips of other groups."
    )


def _known_in_validation(found: Straddling | None) -> str:
    if not found:
        return ""
    return (
        f"Warning: {found.groups} group(s) are both validated and trained on: {found.clips} of {found.of} "
        f"validation clips have others of their group there, such as {' and '.join(found.example)}. Epoch, "
        "candidate and calibration are chosen on clips that are nearly known."
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
