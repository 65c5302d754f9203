"""Forms of the same trained heads on held-out clips, against the float32 loop."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.forms import Clips, Form, convert, path_of
from benchmarks.heads.runner import milliseconds, scores_of
from benchmarks.heads.sets import ClipSet
from benchmarks.heads.tables import Converted
from benchmarks.heads.training import trained
from components.training.folds import FoldRows
from reelflow.files import write_text
from reelflow.params import TrainingParams

REFERENCE = Form("loop", "float32")
CALIBRATION_CLIPS = 16
ROUNDS = 40


def forms(clips: ClipSet, params: TrainingParams, out: Path, wanted: Sequence[Form]) -> list[Converted]:
    """Convert the head of every fold into every form, and score the fold's test clips."""
    heads = trained(clips, params, out)
    chosen = dict.fromkeys((REFERENCE, *wanted))
    problems = {form: _convert(clips, heads, form) for form in chosen}
    paths = {form: [path_of(head, form) for head in heads] for form in chosen if not problems[form]}
    failed = (
        Converted(clips.name, params.units or 0, str(form), problem)
        for form, problem in problems.items()
        if problem
    )
    return [*_compared(clips, params, paths), *failed]


def _convert(clips: ClipSet, heads: Sequence[Path], form: Form) -> str:
    """Convert the heads of all folds; a result, or a failure, of an earlier run is reused."""
    failure = path_of(heads[0], form).with_suffix(".txt")
    missing = not all(path_of(head, form).exists() for head in heads)
    if missing and not failure.exists():
        problem = convert(heads, [_calibration(clips, fold) for fold in clips.folds], form)
        if problem:
            write_text(failure, problem)
    return failure.read_text() if failure.exists() else ""


def _calibration(clips: ClipSet, fold: FoldRows) -> Clips:
    """Some training clips of a fold."""
    places = np.linspace(0, len(fold.train) - 1, CALIBRATION_CLIPS).astype(int)
    return clips.examples.features(fold.train[places])


def _compared(
    clips: ClipSet, params: TrainingParams, paths: Mapping[Form, Sequence[Path]]
) -> Iterator[Converted]:
    examples = clips.examples
    rows = np.concatenate([fold.test for fold in clips.folds])
    scores = {form: _scores(clips, each) for form, each in paths.items()}
    reference = scores[REFERENCE]
    tested = {str(form): each[0] for form, each in paths.items()}
    ms = milliseconds(tested, examples.features(clips.folds[0].test), ROUNDS)
    for form, found in scores.items():
        best = found.argmax(axis=1)
        yield Converted(
            name=clips.name,
            units=params.units or 0,
            form=str(form),
            clips=len(rows),
            right=int((best == examples.truth[rows]).sum()),
            agreeing=int((best == reference.argmax(axis=1)).sum()),
            difference=float(np.abs(found - reference).max()),
            size_bytes=paths[form][0].stat().st_size,
            clip_ms=ms[str(form)],
        )


def _scores(clips: ClipSet, heads: Sequence[Path]) -> NDArray[np.float32]:
    """Scores of every test clip, fold by fold."""
    parts = [
        scores_of(head, clips.examples.features(fold.test))
        for fold, head in zip(clips.folds, heads, strict=True)
    ]
    return np.concatenate(parts)
