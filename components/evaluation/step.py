"""Measure one classifier on the test clips, beside those that were evaluated before it."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluation import measures
from components.evaluation.files import write_figures, write_tables
from components.evaluation.measures import Scores
from reelflow.contracts import ClassScores, DatasetReport, EvaluationReport, FeaturesReport, TrainingReport
from reelflow.errors import BundleError, ParamsError
from reelflow.files import atomic, sha256_file
from reelflow.nets.examples import Examples, load_splits
from reelflow.nets.saved import load_head
from reelflow.params import EvaluationParams
from reelflow.progress import track
from reelflow.stores.evaluations import (
    CANDIDATES,
    MODEL,
    SCORES,
    best_candidate,
    link_file,
    link_folder,
    read_candidates,
)


def run(
    params: EvaluationParams,
    *,
    dataset: Path,
    features: Path,
    model: Path,
    evaluation: Path,
    previous: Path | None = None,
) -> EvaluationReport:
    """Score the validation and test clips; keep every figure, and the best model so far.

    Args:
        params: what is measured.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: folder of the training step.
        evaluation: the output; its own files, and `candidates/<name>/` of this and all before it.
        previous: the evaluation before this one, whose candidates are carried along.

    Raises:
        ParamsError: a chosen class is none of the data set's.
        DataError: no clips to test on.
        BundleError: an input is damaged, or they do not belong together.
    """
    training = TrainingReport.open(model)
    _check_belongs(training, dataset, features)
    _check_chosen(params, training)
    splits = load_splits(dataset, features, ("validation", "test"))
    network = load_head(model / MODEL, sha256=training.model_sha256)
    scores = _score(network, splits["test"], params.batch_size)
    validated = _score(network, splits["validation"], params.batch_size)
    with atomic(evaluation / SCORES) as partial, partial.open("wb") as file:
        np.save(file, scores, allow_pickle=False)
    metrics = {
        "validation_accuracy": measures.top_k_accuracy(validated, splits["validation"].truth, 1),
        "validation_loss": measures.cross_entropy(validated, splits["validation"].truth),
    }
    report = _measure(params, training, splits["test"], scores, metrics, sha256_file(evaluation / SCORES))
    write_tables(report, scores, evaluation)
    write_figures(report, params.chosen_classes, evaluation)
    _gather_candidates(report, model, previous, evaluation)
    report.save(evaluation)
    return report


def _measure(
    params: EvaluationParams,
    training: TrainingReport,
    test: Examples,
    scores: Scores,
    validation_metrics: dict[str, float],
    scores_sha256: str,
) -> EvaluationReport:
    top_k = min(params.top_k, len(test.labels))
    averages = measures.averages(scores, test.truth)
    return EvaluationReport(
        name=f"{training.backbone.name}-{training.head}",
        data_hash=training.data_hash,
        training=training,
        labels=test.labels,
        top_k=top_k,
        clip_ids=test.clip_ids,
        truth=tuple(test.truth.tolist()),
        confusion=tuple(tuple(row) for row in measures.confusion(scores, test.truth).tolist()),
        per_class=measures.per_class(scores, test.truth, test.labels),
        averages=averages,
        scores_sha256=scores_sha256,
        model_sha256=training.model_sha256,
        metrics={
            "accuracy": measures.top_k_accuracy(scores, test.truth, 1),
            "top5_accuracy": measures.top_k_accuracy(scores, test.truth, top_k),
            **_named(averages),
            **validation_metrics,
        },
    )


def _check_belongs(training: TrainingReport, dataset: Path, features: Path) -> None:
    found = FeaturesReport.open(features)
    trained_on = (training.data_hash, training.backbone, training.frames)
    if (found.data_hash, found.backbone, found.frames) != trained_on:
        raise BundleError(
            f"the model was trained on other features ({training.backbone.name}) than {features} holds "
            f"({found.backbone.name}): train on these, or name those"
        )
    if DatasetReport.open(dataset).labels != training.labels:
        raise BundleError(f"the model was trained on other classes than {dataset} has: train it again")


def _check_chosen(params: EvaluationParams, training: TrainingReport) -> None:
    unknown = sorted(set(params.chosen_classes) - set(training.labels))
    if unknown:
        raise ParamsError(
            f"evaluation.chosen_classes names {', '.join(unknown)}; the classes are "
            f"{', '.join(training.labels)}"
        )


def _score(network: Any, examples: Examples, batch_size: int) -> Scores:
    """Probabilities `(clips, classes)`."""
    batches = examples.batches(batch_size)
    rows = track(batches, len(batches), "batches")
    return np.concatenate([network.predict_on_batch(examples.features(batch)) for batch in rows])


def _named(averages: tuple[ClassScores, ...]) -> dict[str, float]:
    kinds = ("precision", "recall", "f1")
    return {f"{row.label}_{kind}": getattr(row, kind) for row in averages for kind in kinds}


def _gather_candidates(
    report: EvaluationReport, model: Path, previous: Path | None, evaluation: Path
) -> None:
    """Fill `candidates/`; only the best one's model is carried along."""
    shutil.rmtree(evaluation / CANDIDATES, ignore_errors=True)
    for candidate in read_candidates(previous) if previous else ():
        if candidate.name != report.name:
            link_folder(candidate.folder, evaluation / CANDIDATES / candidate.name)
    own = evaluation / CANDIDATES / report.name
    link_folder(evaluation, own)
    link_file(model / MODEL, own / MODEL)
    report.save(own)
    candidates = read_candidates(evaluation)
    best = best_candidate(candidates)
    for candidate in candidates:
        if candidate.name != best.name:
            candidate.model.unlink(missing_ok=True)
