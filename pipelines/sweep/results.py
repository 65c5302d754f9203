"""The results of a search, from its studies: outer folds are pooled, the last study chooses."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipelines.sweep.folds import Nest
from pipelines.sweep.trainings import Tested
from pipelines.trials.report import StudyResult, SweepReport
from pipelines.trials.search import Attempt, best
from pipelines.trials.space import Space
from reelflow.measures.intervals import group_interval, single_group
from reelflow.params import Params


@dataclass(frozen=True)
class Study:
    """A finished study, and the accuracy of its choice on held-out clips."""

    nest: Nest
    attempts: tuple[Attempt, ...]
    tested: Tested | None


def to_report(studies: Sequence[Study], space: Space, params: Params) -> SweepReport:
    """Pool the outer folds; the last study chooses the values to use."""
    tested = [study.tested for study in studies if study.tested]
    right = np.concatenate([one.right for one in tested])
    groups = [group for one in tested for group in one.groups]
    found = [_result(study) for study in studies]
    chosen, tuned, honest = found[-1].chosen, found[-1].tuned_accuracy, float(right.mean())
    outer = [(one.chosen.backbone, one.chosen.head) for one in found if one.accuracy is not None]
    limits = {"resamples": params.evaluation.resamples, "seed": params.evaluation.seed}
    return SweepReport(
        protocol=params.evaluation.protocol,
        inner=space.inner,
        accuracy=honest,
        interval=group_interval(right, groups, **limits),
        single_group=single_group(groups),
        tuned_accuracy=tuned,
        optimism=tuned - honest,
        chosen=chosen,
        agreement=outer.count((chosen.backbone, chosen.head)) / len(outer),
        test_clips=len(right),
        groups=len(set(groups)),
        studies=tuple(found),
    )


def _result(study: Study) -> StudyResult:
    states, winner = Counter(attempt.state for attempt in study.attempts), best(study.attempts)
    return StudyResult(
        name=study.nest.name,
        clips=study.nest.clips,
        complete=states["COMPLETE"],
        pruned=states["PRUNED"],
        failed=states["FAIL"],
        chosen=winner.candidate,
        tuned_accuracy=winner.accuracy,
        test_clips=study.nest.tested,
        accuracy=float(study.tested.right.mean()) if study.tested else None,
    )
