"""Evaluated classifiers: `<anywhere>/candidates/<name>/evaluation.json` and its files.

An evaluation folder also has the candidates that were evaluated before it, and the model of
the best so far, so the last folder of a chain has everything that conversion needs. A folder of separate
evaluations is read in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import EvaluationReport
from reelflow.errors import BundleError
from reelflow.files import link_file, sha256_file

CANDIDATES = "candidates"
MODEL = "model.keras"
SCORES = "scores.npy"
VALIDATED = ("validation_accuracy", "validation_loss")
CROSS_VALIDATED = ("cross_validation_accuracy", "cross_validation_loss")
SELECTION = (*VALIDATED, *CROSS_VALIDATED)
FEATURES_REPORT = "features.report.json"
"""The report of the features that a candidate was trained on, with its list of shards."""
BACKBONE_WEIGHTS = "backbone.weights.h5"
"""Weights of a fine-tuned backbone; written by the features step and copied with the model."""


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
        """The file of the model; kept at least for the best candidate."""
        return self.folder / MODEL

    @property
    def backbone_weights(self) -> Path:
        """The weights of a fine-tuned backbone, beside the model."""
        return self.folder / BACKBONE_WEIGHTS

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


def read_candidates(folder: Path, wanted: str = "") -> list[Candidate]:
    """Every candidate below `folder`, by name; copies of a candidate count once, with its model if kept.

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
    for path in sorted(folder.rglob(f"{CANDIDATES}/*/{EvaluationReport.file_name}")):
        if names and path.parent.name not in names:
            continue
        candidate = Candidate(path.parent, EvaluationReport.open(path.parent))
        known = found.get(candidate.name)
        if known and known.report != candidate.report:
            raise BundleError(f"{known.folder} and {path.parent} differ: run the evaluations again")
        if known is None or not known.model.is_file():
            found[candidate.name] = candidate
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
    if all(CROSS_VALIDATED[0] in candidate.report.metrics for candidate in candidates):
        return min(candidates, key=lambda candidate: _rank(candidate, CROSS_VALIDATED))
    return best_on_validation(candidates)


def best_on_validation(candidates: Sequence[Candidate]) -> Candidate:
    """The best on the validation clips alone: it wins once a head without cross-validation joins."""
    return min(candidates, key=lambda candidate: _rank(candidate, VALIDATED))


def link_folder(source: Path, target: Path) -> None:
    """Copy the files of `source` to `target`, without hidden files."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        if file.is_file() and not file.name.startswith("."):
            link_file(file, target / file.name)


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
