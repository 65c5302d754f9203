"""Writes the output of a training: the deployed model, scores, curves and the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.training.folds import FoldRows
from components.training.history import CURVES, History
from components.training.learners.fold_results import FoldResult
from components.training.learners.objective import Scores, measure
from reelflow.artifacts.predictions import write_predictions
from reelflow.contracts import Fold, Predictions, TrainingReport
from reelflow.files import write_csv
from reelflow.nets.examples import Examples, Rows
from reelflow.nets.runtime import reseed
from reelflow.nets.saved import save_head
from reelflow.params import TrainingParams


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        protocol: evaluation protocol.
        folds: the folds of the protocol.
        results: one per fold.
        network: the model to deploy.
        views: indexes of the views whose scores are averaged.
        deployed: scores of all clips by the deployed model, `(rows, classes)`; None by `holdout`.
    """

    protocol: str
    folds: Sequence[FoldRows]
    results: Sequence[FoldResult]
    network: Any
    views: tuple[int, ...]
    deployed: Scores | None


def middle(results: Sequence[FoldResult]) -> int:
    """Index of the first fold whose best epoch is the (lower) median of all folds."""
    best = [result.history.best_epoch for result in results]
    return best.index(sorted(best)[(len(best) - 1) // 2])


def write_results(
    result: TrainingResult, examples: Examples, params: TrainingParams, folder: Path
) -> TrainingReport:
    """Write all files, the report last."""
    found, network = examples.store.report, result.network
    reseed(network, params.seed)  # the saved file includes the dropout generators
    place = middle(result.results)
    history = result.results[place].history
    _write_curves(history, folder / "curves.csv")
    validation, test, deployed = _write_scores(result, examples, folder)
    report = TrainingReport(
        data_hash=found.data_hash,
        protocol=result.protocol,
        folds=tuple(map(_fold, result.folds, result.results)),
        validation=validation,
        test=test,
        deployed=deployed,
        head=network.name,
        backbone=found.backbone,
        frames=found.frames,
        views=_views(result, examples),
        beside=examples.beside,
        labels=examples.labels,
        best_epoch=history.best_epoch,
        epochs_run=history.epochs,
        stopped_early=history.is_stalled(params.patience),
        seed=params.seed,
        parameters=sum(variable.numpy().size for variable in network.trainable_variables),
        model_sha256=save_head(network, folder / "model.keras"),
        metrics={**_selection_metrics(result, examples), "epochs": history.epochs},
        curves=history.curves(),
    )
    report.save(folder)
    return report


def _write_curves(history: History, path: Path) -> None:
    """One row per epoch, as `dvc plots` reads it."""
    rows = ((epoch, *(f"{row[name]:.6f}" for name in CURVES)) for epoch, row in enumerate(history.rows, 1))
    write_csv(path, ("epoch", *CURVES), rows)


def _views(result: TrainingResult, examples: Examples) -> tuple[str, ...]:
    """Names of the views that scores come from."""
    names = examples.store.report.views
    return names if examples.beside else tuple(names[view] for view in result.views)


def _fold(fold: FoldRows, result: FoldResult) -> Fold:
    return Fold(
        name=fold.name,
        train_clips=len(fold.train),
        validation_clips=len(fold.validation),
        test_clips=len(fold.test),
        best_epoch=result.history.best_epoch,
    )


def _write_scores(
    result: TrainingResult, examples: Examples, folder: Path
) -> tuple[Predictions, Predictions, Predictions]:
    results, folds = result.results, result.folds

    def write(name: str, scores: Scores, rows: Rows, folds: Sequence[int]) -> Predictions:
        return write_predictions(
            folder, name, scores, examples.ids_of(rows), examples.truth[rows].tolist(), folds
        )

    def pool(name: str, scores: list[Scores], rows: list[Rows]) -> Predictions:
        folds = np.repeat(range(len(rows)), list(map(len, rows)))
        return write(name, np.concatenate(scores), np.concatenate(rows), folds.tolist())

    validation = pool("validation", [o.validation for o in results], [o.validated for o in results])
    test = pool("test", [o.test for o in results], [fold.test for fold in folds])
    if result.deployed is None:
        return validation, test, test
    rows = np.arange(len(examples.clips))
    return validation, test, write("deployed", result.deployed, rows, [0] * len(rows))


def _selection_metrics(result: TrainingResult, examples: Examples) -> dict[str, float]:
    """What candidates are compared by: on the validation clips, which are the same for every head.

    Linear heads score their training clips too, by an inner cross-validation: more clips, for runs in which
    all heads do.
    """
    scores = np.concatenate([one.validation for one in result.results])
    truth = np.concatenate([examples.truth[one.validated] for one in result.results])
    is_validation = np.concatenate(
        [
            np.isin(one.validated, fold.validation)
            for one, fold in zip(result.results, result.folds, strict=True)
        ]
    )
    loss, accuracy = measure(scores[is_validation], truth[is_validation])
    metrics = {"validation_accuracy": accuracy, "validation_loss": loss}
    if not is_validation.all():
        loss, accuracy = measure(scores, truth)
        metrics |= {"cross_validation_accuracy": accuracy, "cross_validation_loss": loss}
    return metrics
