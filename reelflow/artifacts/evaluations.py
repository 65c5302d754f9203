"""Evaluated classifiers: folders of the evaluation step, anywhere below a folder.

Each keeps the model that it measured, and the reports that it stands on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import EvaluationReport
from reelflow.errors import BundleError
from reelflow.files import sha256_file

TRAINING, FEATURES = "training", "features"
"""Folders in an evaluation: files of the steps that it stands on."""
MODEL = "model.keras"
SCORES = "scores.npy"
VALIDATED = ("validation_accuracy", "validation_loss")
CROSS_VALIDATED = ("cross_validation_accuracy", "cross_validation_loss")
SELECTION = (*VALIDATED, *CROSS_VALIDATED)
BACKBONE_WEIGHTS = "backbone.weights.h5"
"""Weights of a fine-tuned backbone; written by the features step."""


@dataclass(frozen=True)
class Candidate:
    """One classifier on the test clips."""

    folder: Path
    report: EvaluationReport

    @property
    def name(self) -> str:
        """`<backbone>-<head>`."""
        return self.report.name

    @property
    def model(self) -> Path:
        """The file of the model."""
        return self.folder / TRAINING / MODEL

    @property
    def backbone_weights(self) -> Path:
        """The weights of a fine-tuned backbone."""
        return self.folder / FEATURES / BACKBONE_WEIGHTS

    def scores(self) -> NDArray[np.float32]:
        """Probabilities `(test clips, classes) float32`.

        Raises:
            BundleError: the file is damaged.
        """
        path = self.folder / SCORES
        if not path.is_file() or sha256_file(path) != self.report.scores_sha256:
            raise BundleError(f"{path} is not the file that its report names: run the evaluation again")
        scores: NDArray[np.float32] = np.load(path, allow_pickle=False)
        return scores

    def right(self) -> NDArray[np.bool_]:
        """Whether each test clip is classified correctly, `(test clips,) bool`.

        Raises:
            BundleError: the scores are damaged.
        """
        right: NDArray[np.bool_] = self.scores().argmax(axis=1) == np.array(self.report.truth)
        return right


def read_candidates(folder: Path, wanted: str = "") -> list[Candidate]:
    """Every candidate below `folder`, by name; copies of a candidate count once.

    Args:
        folder: of evaluations.
        wanted: names of the candidates to read, comma-separated; empty for all. DVC leaves the
            evaluation of a head in place that is no longer in the params.

    Raises:
        BundleError: none or not all candidates found, one is damaged, or they were measured on different
            clips.
    """
    found: dict[str, Candidate] = {}
    names = set(filter(None, wanted.split(",")))
    for path in sorted(folder.rglob(EvaluationReport.file_name)):
        try:
            candidate = Candidate(path.parent, EvaluationReport.open(path.parent))
        except BundleError:
            if names and path.parent.name not in names:
                continue
            raise
        if names and candidate.name not in names:
            continue
        known = found.setdefault(candidate.name, candidate)
        if known.report != candidate.report:
            raise BundleError(f"{known.folder} and {path.parent} differ: run the evaluations again")
    candidates = [found[name] for name in sorted(found)]
    if missing := sorted(names - found.keys()):
        raise BundleError(f"no evaluation of {', '.join(missing)} below {folder}: run the evaluation step")
    if not candidates:
        raise BundleError(f"no evaluated classifier below {folder}: run the evaluation step")
    _check_same_test(candidates)
    return candidates


def best_candidate(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the highest accuracy on the same held-out clips; then the lowest loss; then by name.

    These are the validation clips; the training clips too if every candidate has scored them by an inner
    cross-validation.
    """
    are_cross_validated = all(CROSS_VALIDATED[0] in candidate.report.metrics for candidate in candidates)
    names = CROSS_VALIDATED if are_cross_validated else VALIDATED
    return min(candidates, key=lambda candidate: _rank(candidate, names))


def _rank(candidate: Candidate, names: tuple[str, str]) -> tuple[float, float, str]:
    accuracy, loss = (candidate.report.metrics[name] for name in names)
    return -accuracy, loss, candidate.name


def _check_same_test(candidates: Sequence[Candidate]) -> None:
    first = candidates[0].report
    for candidate in candidates[1:]:
        report = candidate.report
        if _test_of(report) != _test_of(first):
            raise BundleError(
                f"{report.name} was measured on other clips ({report.data_hash[:12]}, "
                f"{report.training.protocol}) than {first.name} ({first.data_hash[:12]}, "
                f"{first.training.protocol}): evaluate both on the same data set, by the same protocol"
            )


def _test_of(report: EvaluationReport) -> tuple[str, tuple[str, ...], str]:
    return report.data_hash, report.labels, report.training.protocol
