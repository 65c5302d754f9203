"""What a training leaves: the model to deploy, scores, curves and the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.training.curves import draw, write_table
from components.training.cuts import Cut
from components.training.objective import Scores, measure
from components.training.outcome import Outcome
from reelflow.artifacts.predictions import write_scored
from reelflow.contracts import Fold, Scored, TrainingReport
from reelflow.nets.examples import Examples, Rows
from reelflow.nets.runtime import reseed
from reelflow.nets.saved import save_head
from reelflow.params import TrainingParams


@dataclass(frozen=True)
class Result:
    """A finished training.

    Attributes:
        protocol: by which clips were held out.
        cuts: its folds.
        outcomes: what came of each.
        network: the model to deploy.
        views: places of the views whose mean scores count.
        deployed: its scores of all clips, `(rows, classes)`; None if it is the one fold's own model.
    """

    protocol: str
    cuts: Sequence[Cut]
    outcomes: Sequence[Outcome]
    network: Any
    views: tuple[int, ...]
    deployed: Scores | None


def middle(outcomes: Sequence[Outcome]) -> int:
    """Place of the first fold whose best epoch is the median of all; the lower one of two."""
    best = [outcome.history.best_epoch for outcome in outcomes]
    return best.index(sorted(best)[(len(best) - 1) // 2])


def write_results(result: Result, examples: Examples, params: TrainingParams, folder: Path) -> TrainingReport:
    """Write all files, the report last."""
    found, network = examples.store.report, result.network
    reseed(network, params.seed)  # its dropout generators are saved too
    place = middle(result.outcomes)
    history = result.outcomes[place].history
    title = f"{found.backbone.name}, {network.name}, {result.cuts[place].name}"
    write_table(history, folder / "curves.csv")
    draw(history, title, folder / "curves.png")
    validation, test, deployed = _write_scores(result, examples, folder)
    report = TrainingReport(
        data_hash=found.data_hash,
        protocol=result.protocol,
        folds=tuple(map(_fold, result.cuts, result.outcomes)),
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
        metrics={**_validation_metrics(result.outcomes, examples), "epochs": history.epochs},
        curves=history.curves(),
    )
    report.save(folder)
    return report


def _views(result: Result, examples: Examples) -> tuple[str, ...]:
    """What the scores come from."""
    names = examples.store.report.views
    return names if examples.beside else tuple(names[view] for view in result.views)


def _fold(cut: Cut, outcome: Outcome) -> Fold:
    return Fold(
        name=cut.name,
        train_clips=len(cut.train),
        validation_clips=len(cut.validation),
        test_clips=len(cut.test),
        best_epoch=outcome.history.best_epoch,
    )


def _write_scores(result: Result, examples: Examples, folder: Path) -> tuple[Scored, Scored, Scored]:
    outcomes, cuts = result.outcomes, result.cuts

    def write(name: str, scores: Scores, rows: Rows, folds: Sequence[int]) -> Scored:
        return write_scored(folder, name, scores, examples.ids_of(rows), examples.truth[rows].tolist(), folds)

    def pool(name: str, scores: list[Scores], rows: list[Rows]) -> Scored:
        folds = np.repeat(range(len(rows)), list(map(len, rows)))
        return write(name, np.concatenate(scores), np.concatenate(rows), folds.tolist())

    validation = pool("validation", [o.validation for o in outcomes], [o.validated for o in outcomes])
    test = pool("test", [o.test for o in outcomes], [cut.test for cut in cuts])
    if result.deployed is None:
        return validation, test, test
    rows = np.arange(len(examples.clips))
    return validation, test, write("deployed", result.deployed, rows, [0] * len(rows))


def _validation_metrics(outcomes: Sequence[Outcome], examples: Examples) -> dict[str, float]:
    scores = np.concatenate([outcome.validation for outcome in outcomes])
    rows = np.concatenate([outcome.validated for outcome in outcomes])
    loss, accuracy = measure(scores, examples.truth[rows])
    return {"validation_accuracy": accuracy, "validation_loss": loss}
