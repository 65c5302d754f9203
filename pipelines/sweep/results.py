"""Results of a search: honest and tuned accuracy, and the selected values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from pipelines.sweep.candidate import SweepCandidate
from pipelines.sweep.folds import Nest
from pipelines.sweep.search import Attempt, best
from pipelines.sweep.space import Space
from pipelines.sweep.trainings import Tested
from reelflow.contracts import Interval
from reelflow.documents import Document
from reelflow.measures.intervals import group_interval, single_group
from reelflow.params import Params

FILE = "sweep.json"


class StudyResult(Document):
    """One study: its trials, and the best of them."""

    name: str = Field(description="of the outer fold, or all clips")
    clips: int = Field(description="that the study chose on")
    complete: int
    pruned: int
    failed: int
    chosen: SweepCandidate
    tuned_accuracy: float = Field(description="of the best trial on the clips that chose it: optimistic")
    test_clips: int = Field(description="of the outer fold; 0 for all clips")
    accuracy: float | None = Field(description="of the best trial's values on these; null without any")


class SweepReport(Document):
    """`sweep.json`: an accuracy measured on clips that no part of the search has seen."""

    protocol: str = Field(description="by which clips were held out from the search")
    inner: str = Field(description="by which trials were judged, inside the other clips")
    accuracy: float = Field(description="honest: of the procedure `search, then train`, outer folds pooled")
    interval: Interval = Field(description="of 95 %, by resampling whole groups")
    single_group: bool = Field(description="all tested clips are of one group: the interval is over clips")
    tuned_accuracy: float = Field(description="of the chosen values on the clips that chose them: optimistic")
    optimism: float = Field(description="the tuned accuracy less the honest one")
    chosen: SweepCandidate
    agreement: float = Field(description="fraction of outer folds that selected the same head and backbone")
    test_clips: int
    groups: int = Field(description="of the tested clips")
    studies: tuple[StudyResult, ...] = Field(description="one an outer fold; then, behind several, all clips")


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
