"""Measure one classifier on the test clips, and keep with the result what it stands on."""

import shutil
from pathlib import Path

from components.evaluation.figures import write_figures
from components.evaluation.inputs import Inputs, read_inputs
from components.evaluation.report import measure
from components.evaluation.tables import write_tables
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS, FEATURES, MODEL, SCORES, TRAINING
from reelflow.contracts import EvaluationReport, FeaturesReport, TrainingReport
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
) -> EvaluationReport:
    """Measure the scores of the training; keep its model beside them.

    Args:
        params: classes, resamples and targets.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: folder of the training step, with scores of the validation and the test clips.
        baselines: folder of the baselines step.
        evaluation: the output; `training/` and `features/` hold the model and the reports that it stands on.

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
    _keep(evaluation / TRAINING, model, TrainingReport.file_name, MODEL, *_deployed(report))
    _keep(evaluation / FEATURES, features, FeaturesReport.file_name, BACKBONE_WEIGHTS)
    report.save(evaluation)
    return report


def _check_chosen(params: EvaluationParams, inputs: Inputs) -> None:
    labels = inputs.training.labels
    unknown = sorted(set(params.chosen_classes) - set(labels))
    if unknown:
        raise ParamsError(
            f"evaluation.chosen_classes names {', '.join(unknown)}; the classes are {', '.join(labels)}"
        )


def _deployed(report: EvaluationReport) -> tuple[str, ...]:
    """The scores of the deployed model; by `holdout` they are among those of the test clips."""
    is_holdout = Protocol.parse(report.training.protocol).kind == "holdout"
    return () if is_holdout else (report.training.deployed.file,)


def _keep(target: Path, source: Path, *names: str) -> None:
    """Link files of another step's output, as far as they exist, with their provenance."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for name in (*names, PROVENANCE):
        if (source / name).is_file():
            link_file(source / name, target / name)
