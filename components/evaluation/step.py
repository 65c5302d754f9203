"""Measure one classifier on the test clips; earlier candidates are kept beside it."""

import shutil
from pathlib import Path

from components.evaluation.figures import write_figures
from components.evaluation.inputs import Inputs, read_inputs
from components.evaluation.report import measure
from components.evaluation.tables import write_tables
from reelflow.artifacts.evaluations import (
    BACKBONE_WEIGHTS,
    CANDIDATES,
    FEATURES_REPORT,
    MODEL,
    SCORES,
    best_candidate,
    best_on_validation,
    link_folder,
    read_candidates,
)
from reelflow.contracts import EvaluationReport, FeaturesReport
from reelflow.errors import ParamsError
from reelflow.files import link_file, sha256_file, write_array
from reelflow.params import EvaluationParams
from reelflow.provenance.step import PROVENANCE
from reelflow.splitting.protocols import Protocol


def run(
    params: EvaluationParams,
    *,
    dataset: Path,
    features: Path,
    model: Path,
    baselines: Path,
    evaluation: Path,
    previous: Path | None = None,
) -> EvaluationReport:
    """Measure the scores of the training; keep every candidate, and the best model so far.

    Args:
        params: classes, resamples and targets.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: folder of the training step, with scores of the validation and the test clips.
        baselines: folder of the baselines step.
        evaluation: the output; its own files, and `candidates/<name>/` of this and all earlier ones.
        previous: the evaluation before this one; its candidates are copied.

    Raises:
        ParamsError: a chosen class is not in the data set.
        DataError: no clips to test on.
        BundleError: an input is damaged, or they do not belong together.
        StorageError: the disk is full or read-only.
    """
    inputs = read_inputs(
        protocol=params.protocol, dataset=dataset, features=features, model=model, baselines=baselines
    )
    _check_chosen(params, inputs)
    write_array(evaluation / SCORES, inputs.scores)
    report = measure(params, inputs, sha256_file(evaluation / SCORES))
    write_tables(report, inputs.scores, evaluation)
    write_figures(report, params.chosen_classes, evaluation)
    _gather_candidates(report, features, model, previous, evaluation)
    report.save(evaluation)
    return report


def _check_chosen(params: EvaluationParams, inputs: Inputs) -> None:
    labels = inputs.training.labels
    unknown = sorted(set(params.chosen_classes) - set(labels))
    if unknown:
        raise ParamsError(
            f"evaluation.chosen_classes names {', '.join(unknown)}; the classes are {', '.join(labels)}"
        )


def _gather_candidates(
    report: EvaluationReport, features: Path, model: Path, previous: Path | None, evaluation: Path
) -> None:
    """Fill `candidates/`; only models and fine-tuned backbones that may yet win are kept."""
    shutil.rmtree(evaluation / CANDIDATES, ignore_errors=True)
    for candidate in read_candidates(previous) if previous else ():
        if candidate.name != report.name:
            link_folder(candidate.folder, evaluation / CANDIDATES / candidate.name)
    own = evaluation / CANDIDATES / report.name
    link_folder(evaluation, own)
    link_file(model / MODEL, own / MODEL)
    if Protocol.parse(report.training.protocol).kind != "holdout":
        deployed = report.training.deployed.file
        link_file(model / deployed, own / deployed)
    if (features / BACKBONE_WEIGHTS).is_file():
        link_file(features / BACKBONE_WEIGHTS, own / BACKBONE_WEIGHTS)
    link_file(features / FeaturesReport.file_name, own / FEATURES_REPORT)
    for step, folder in (("features", features), ("training", model)):
        if (folder / PROVENANCE).is_file():
            link_file(folder / PROVENANCE, own / f"{step}.{PROVENANCE}")
    report.save(own)
    candidates = read_candidates(evaluation)
    may_win = {best_candidate(candidates).name, best_on_validation(candidates).name}
    for candidate in candidates:
        if candidate.name not in may_win:
            candidate.model.unlink(missing_ok=True)
            candidate.backbone_weights.unlink(missing_ok=True)
