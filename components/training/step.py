"""Train one head on one backbone's features."""

from collections import Counter
from pathlib import Path
from typing import Any

from components.training.checkpoint import Arrays, Checkpoints
from components.training.curves import draw, write_table
from components.training.fit import compile_for_training, fit
from components.training.history import History
from reelflow.contracts import TrainingReport
from reelflow.errors import DataError
from reelflow.nets.examples import Examples, load_splits
from reelflow.nets.heads import build_head, check_heads
from reelflow.nets.runtime import reseed, seed_everything
from reelflow.nets.saved import save_head
from reelflow.params import TrainingParams
from reelflow.progress import emit


def run(params: TrainingParams, *, head: str, dataset: Path, features: Path, model: Path) -> TrainingReport:
    """Train until the validation loss stalls; keep the weights of the best epoch.

    Args:
        params: optimiser, schedule and sizes.
        head: a name in `reelflow.nets.heads.HEADS`.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: the output; holds `model.keras`, `curves.csv`, `curves.png` and `training.json`.

    Raises:
        ParamsError: unknown head, or the loss is no number any more.
        DataError: no clips to validate on, or a class without clips to train on.
        BundleError: an input is damaged, or the features are those of other clips.
    """
    check_heads([head])
    splits = load_splits(dataset, features, ("train", "validation"))
    train = splits["train"]
    _check_every_class(train)
    seed_everything(params.seed)
    network = _build(head, train, params)
    compile_for_training(network, params)
    checkpoints = Checkpoints(model / "checkpoints", params.checkpoint_every_s)
    history, weights = fit(network, train, splits["validation"], params, checkpoints)
    report = _write(head, train, params, history, weights, model)
    checkpoints.remove()
    return report


def _check_every_class(train: Examples) -> None:
    counts = Counter(train.truth.tolist())
    empty = [label for place, label in enumerate(train.labels) if not counts[place]]
    if empty:
        raise DataError(
            f"no clips to train on of {', '.join(empty)}: add clips of these classes, or drop the classes"
        )


def _build(head: str, train: Examples, params: TrainingParams) -> Any:
    found = train.store.report
    return build_head(
        head, frames=found.frames, dim=found.backbone.dim, classes=len(train.labels), params=params
    )


def _write(
    head: str, train: Examples, params: TrainingParams, history: History, weights: Arrays, model: Path
) -> TrainingReport:
    found = train.store.report
    stopped_early = history.is_stalled(params.patience)
    if stopped_early:
        emit("notice", message=f"stopped after epoch {history.epochs}; epoch {history.best_epoch} is kept")
    network = _build(head, train, params)  # without the optimiser
    network.set_weights(weights)
    reseed(network, params.seed)
    write_table(history, model / "curves.csv")
    draw(history, f"{found.backbone.name}, {head}", model / "curves.png")
    report = TrainingReport(
        data_hash=found.data_hash,
        head=head,
        backbone=found.backbone,
        frames=found.frames,
        labels=train.labels,
        best_epoch=history.best_epoch,
        epochs_run=history.epochs,
        stopped_early=stopped_early,
        seed=params.seed,
        parameters=sum(variable.numpy().size for variable in network.trainable_variables),
        model_sha256=save_head(network, model / "model.keras"),
        metrics={
            "validation_accuracy": history.best["validation_accuracy"],
            "validation_loss": history.best["validation_loss"],
            "epochs": history.epochs,
        },
        curves=history.curves(),
    )
    report.save(model)
    return report
