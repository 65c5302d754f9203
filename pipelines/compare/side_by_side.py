"""Puts finished runs side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pipelines.compare.finished import FinishedRun
from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import BaselineComparison, Interval
from reelflow.measures.comparison import RESAMPLES, SEED, Paired, compare
from reelflow.tracking.records import MACHINE_TAG

COMMIT, DATA, CODE_CHANGED = "mlflow.source.git.commit", "reelflow.data_hash", "mlflow.source.git.dirty"
NONE_IN_COMMON = "no test clips in common"
INTERNAL = re.compile(r"reelflow\..*|.*\.key")  # names that people did not choose


@dataclass(frozen=True)
class RunColumn:
    """One run.

    Attributes:
        run: as MLflow has it.
        accuracy: with its interval; None without an evaluation.
        macro_f1: likewise.
        baselines: the classifier against each shortcut baseline, on the same clips.
        test_clips: how many.
    """

    run: FinishedRun
    accuracy: tuple[float, Interval] | None
    macro_f1: tuple[float, Interval] | None
    baselines: tuple[BaselineComparison, ...]
    test_clips: int


@dataclass(frozen=True)
class RunPair:
    """Two runs on the clips that both have tested.

    Attributes:
        a: name of a run.
        b: name of another.
        clips: that both have tested.
        paired: how they compare; None where `why` says why they do not.
        why: likewise.
    """

    a: str
    b: str
    clips: int
    paired: Paired | None
    why: str = ""

    @property
    def better(self) -> str:
        """The run that is better beyond noise, if one is."""
        if self.paired is None:
            return ""
        if self.paired.is_clearly_better:
            return self.a
        return self.b if self.paired.is_clearly_worse else ""

    @property
    def worse(self) -> str:
        """The other one of these."""
        return {self.a: self.b, self.b: self.a}.get(self.better, "")

    @property
    def verdict(self) -> str:
        """In words."""
        if self.paired is None:
            return self.why
        if not self.better:
            return "no difference beyond noise"
        return f"the {'first' if self.better == self.a else 'second'} is better beyond noise"


@dataclass(frozen=True)
class SideBySide:
    """Runs side by side.

    Attributes:
        columns: one a run.
        pairs: any two of them.
        differences: what is not the same in all runs, a value a run.
    """

    columns: tuple[RunColumn, ...]
    pairs: tuple[RunPair, ...]
    differences: dict[str, tuple[str, ...]]


def side_by_side(runs: Sequence[FinishedRun]) -> SideBySide:
    """Compare runs, any two of them clip by clip."""
    return SideBySide(
        columns=tuple(map(_column, runs)),
        pairs=tuple(_pair(a, b) for a, b in combinations(runs, 2)),
        differences=_differences(runs),
    )


def _column(run: FinishedRun) -> RunColumn:
    if run.evaluation is None:
        return RunColumn(run, None, None, (), 0)
    report = run.evaluation.report
    return RunColumn(
        run=run,
        accuracy=(report.metrics["accuracy"], report.intervals["accuracy"]),
        macro_f1=(report.metrics["macro_f1"], report.intervals["macro_f1"]),
        baselines=report.baselines,
        test_clips=len(report.truth),
    )


def _pair(a: FinishedRun, b: FinishedRun) -> RunPair:
    first, second = a.evaluation, b.evaluation
    if first is None or second is None:
        return RunPair(a.name, b.name, 0, None, "answers are not in MLflow")
    if set(first.report.labels) != set(second.report.labels):
        return RunPair(a.name, b.name, 0, None, "other classes")
    right_a, right_b = _right(first), _right(second)
    common = [clip for clip in right_a if clip in right_b]
    if not common:
        return RunPair(a.name, b.name, 0, None, NONE_IN_COMMON)
    groups = dict(zip(first.report.clip_ids, first.report.groups, strict=True))
    paired = compare(
        np.array([right_a[clip] for clip in common]),
        np.array([right_b[clip] for clip in common]),
        [groups[clip] for clip in common],
        resamples=RESAMPLES,
        seed=SEED,
    )
    return RunPair(a.name, b.name, len(common), paired)


def _right(candidate: Candidate) -> dict[str, bool]:
    """Whether each test clip is classified correctly, by the id of its content."""
    return dict(zip(candidate.report.clip_ids, map(bool, candidate.right()), strict=True))


def _differences(runs: Sequence[FinishedRun]) -> dict[str, tuple[str, ...]]:
    """Data, code and params that are not the same in all runs."""
    facts = [
        {
            "data": run.tags.get(DATA, "")[:12],
            "code": run.tags.get(COMMIT, "")[:12]
            + (" changed" if run.tags.get(CODE_CHANGED) == "true" else ""),
            "classifier": run.chosen,
            "machine of the training": run.tags.get(MACHINE_TAG, ""),
            **{name: value for name, value in run.params.items() if not INTERNAL.fullmatch(name)},
        }
        for run in runs
    ]
    names = sorted({name for one in facts for name in one}, key=lambda name: ("." in name, name))
    rows = {name: tuple(one.get(name, "") for one in facts) for name in names}
    return {name: values for name, values in rows.items() if len(set(values)) > 1}
