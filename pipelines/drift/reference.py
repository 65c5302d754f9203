"""What answers are compared with: those on test clips, or those of a device's first days."""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import BundleReport
from reelflow.edge.bundle import open_bundle
from reelflow.edge.health.counts import BINS, DayCounts
from reelflow.edge.seal import SUMS
from reelflow.errors import BundleError
from reelflow.files import sha256_file
from reelflow.measures.scaling import scale_scores
from reelflow.tracking.registry import Registry

TEST_DAY = "1970-01-01"


@dataclass(frozen=True)
class TestedBundle:
    """A registered version: its id on devices, and its answers on test clips."""

    __test__ = False

    bundle: str
    answers: DayCounts


def tested_bundle(registry: Registry, model: str, version: int) -> TestedBundle:
    """The answers of a version on its own test clips, which it was not trained on.

    Raises:
        BundleError: it is damaged, or was registered without its evaluation.
        TrackingError: the registry refuses or is not reachable.
    """
    with tempfile.TemporaryDirectory() as folder:
        bundle = open_bundle(registry.bundle(model, version, Path(folder, "model")))
        if not bundle.is_sealed:
            raise BundleError(
                f"{model}/{version} has no {SUMS}, so that devices do not have it: release it again"
            )
        name = sha256_file(bundle.path(SUMS))
        evaluation = registry.evaluation(model, version, Path(folder, "evaluation"))
        if evaluation is None:
            raise BundleError(
                f"{model}/{version} was registered without its evaluation: compare with --reference first"
            )
        return TestedBundle(name, answers_on_test_clips(name, bundle.report, evaluation))


def answers_on_test_clips(name: str, report: BundleReport, evaluation: Candidate) -> DayCounts:
    """What a device would count if it saw the test clips."""
    scores = scale_scores(evaluation.scores(), report.temperature)  # (clips, classes)
    best = scores.max(axis=1)
    ranges = np.bincount(np.minimum((best * BINS).astype(int), BINS - 1), minlength=BINS)
    labels = Counter(report.labels[number] for number in scores.argmax(axis=1))
    return DayCounts(
        day=TEST_DAY,
        bundle=name,
        labels=dict(sorted(labels.items())),
        unsure=int((best < report.reject_below).sum()),
        scores=tuple(map(int, ranges)),
    )


def together(days: Sequence[DayCounts]) -> DayCounts:
    """The answers of several days or devices.

    Raises:
        ValueError: there are none.
    """
    if not days:
        raise ValueError("no days")
    return reduce(lambda one, other: one.with_counts(other), days)
