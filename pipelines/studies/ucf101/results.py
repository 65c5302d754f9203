"""The results of a finished run, read from the folders of its steps."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import DatasetReport, EvaluationReport, Interval
from reelflow.errors import BundleError
from reelflow.measures.intervals import paired_interval
from reelflow.nets.candidates import name_of
from reelflow.params import EvaluationParams

Pair = tuple[str, str]
"""Backbone and head."""
Right = NDArray[np.bool_]


@dataclass(frozen=True)
class ClassifierResult:
    """One backbone and head on the test clips."""

    candidate: Candidate

    @property
    def report(self) -> EvaluationReport:
        """Its evaluation."""
        return self.candidate.report

    @property
    def accuracy(self) -> float:
        """Top-1."""
        return self.report.metrics["accuracy"]

    @property
    def interval(self) -> Interval:
        """Of the accuracy, by group."""
        return self.report.intervals["accuracy"]

    @cached_property
    def right(self) -> Right:
        """Whether each test clip is classified correctly, `(clips,)`, in the order of the clips' ids."""
        right: Right = self.candidate.scores().argmax(axis=1) == np.array(self.report.truth)
        return right[np.argsort(self.report.clip_ids)]

    @property
    def groups(self) -> list[str]:
        """Group a clip, in the same order."""
        return [self.report.groups[place] for place in np.argsort(self.report.clip_ids)]


@dataclass(frozen=True)
class Difference:
    """An accuracy less another one, or a gap less another gap, on the same clips."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Results:
    """A whole run; `evaluation` says how groups are resampled."""

    dataset: Path
    data: DatasetReport
    by_pair: Mapping[Pair, ClassifierResult]
    evaluation: EvaluationParams

    @property
    def test_groups(self) -> int:
        """Groups of the test clips."""
        return len(set(next(iter(self.by_pair.values())).groups))

    def difference(self, one: Pair, other: Pair) -> Difference | None:
        """Accuracy of the one less that of the other; None where one was not run."""
        return self._paired([one], [other])

    def gap_difference(self, gap: tuple[Pair, Pair], other: tuple[Pair, Pair]) -> Difference | None:
        """A difference of accuracies less another one; None where one of the four was not run.

        (a - b) - (c - d) = (a + d) - (b + c), summed clip by clip and resampled by whole groups.
        """
        return self._paired([gap[0], other[1]], [gap[1], other[0]])

    def _paired(self, plus: Sequence[Pair], minus: Sequence[Pair]) -> Difference | None:
        if not all(pair in self.by_pair for pair in (*plus, *minus)):
            return None
        raised, lowered = (
            np.concatenate([self.by_pair[pair].right for pair in pairs]) for pairs in (plus, minus)
        )
        groups = self.by_pair[plus[0]].groups * len(plus)
        found = paired_interval(
            raised, lowered, groups, resamples=self.evaluation.resamples, seed=self.evaluation.seed
        )
        times = len(plus)  # a mean over all rows is a mean over clips, divided by this
        value = (int(raised.sum()) - int(lowered.sum())) / len(groups) * times
        return Difference(value, Interval(low=times * found.low, high=times * found.high))


def read_results(work: Path, pairs: Sequence[Pair], evaluation: EvaluationParams) -> Results:
    """Read the folders that the last run finished.

    Raises:
        BundleError: one is missing, damaged, or measured on other clips.
    """
    folders = _finished(work)
    dataset = _folder(folders, "dataset", work)
    by_pair = {}
    for backbone, head in pairs:
        folder = _folder(folders, f"evaluation {name_of(backbone, head)}", work)
        by_pair[backbone, head] = ClassifierResult(Candidate(folder, EvaluationReport.open(folder)))
    data = DatasetReport.open(dataset)
    if any(result.report.data_hash != data.data_hash for result in by_pair.values()):
        raise BundleError(f"the evaluations in {work} are of another data set than {dataset}: run again")
    return Results(dataset, data, by_pair, evaluation)


def _finished(work: Path) -> dict[str, Path]:
    """The folder of each task, by the events that the steps left."""
    folders = {}
    events = work / "events.jsonl"
    lines = events.read_text(encoding="utf-8", errors="replace").splitlines() if events.is_file() else []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # a full disk cuts lines short
            event = json.loads(line)
            if event["kind"] == "finished":
                folders[event["task"]] = work / Path(event["folder"]).name
    return folders


def _folder(folders: Mapping[str, Path], task: str, work: Path) -> Path:
    if task not in folders:
        raise BundleError(f"{work / 'events.jsonl'} has no folder of {task}: run the same command again")
    return folders[task]
