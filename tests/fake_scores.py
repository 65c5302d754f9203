"""Folders of the training and the baselines step, with made-up scores of a data set's clips."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.predictions import read_predictions, write_predictions
from reelflow.contracts import (
    Baseline,
    BaselinesReport,
    Clip,
    DatasetReport,
    FeaturesReport,
    Fold,
    Predictions,
    TrainingReport,
)
from reelflow.files import sha256_file
from reelflow.measures.loss import cross_entropy
from reelflow.measures.scaling import scale_scores
from reelflow.splitting.protocols import Protocol, make_folds

FLOORS = {"metadata": 0.5, "thumbnails": 0.6}

CURVES = ("train_loss", "train_accuracy", "validation_loss", "validation_accuracy")


def made_up(truth: Sequence[int], classes: int, right: float, seed: int, sureness: float = 1.0) -> np.ndarray:
    """Probabilities `(clips, classes)` of which that fraction is right; surer if `sureness` is over 1.

    The wrong ones are less sure than the right ones.
    """
    chance = np.random.default_rng(seed)
    scores = chance.uniform(0.1, 0.3, (len(truth), classes))
    wrong = chance.permutation(len(truth)) >= round(right * len(truth))
    named = (np.array(truth, np.int64) + wrong * chance.integers(1, classes, len(truth))) % classes
    scores[np.arange(len(truth)), named] += chance.uniform(0.25, np.where(wrong, 0.7, 1.5))
    scores /= scores.sum(axis=1, keepdims=True)
    return scale_scores(scores.astype(np.float32), 1 / sureness)


def write_training(
    folder: Path,
    dataset: Path,
    features: Path,
    head: str = "gru",
    *,
    right: float = 0.8,
    validated: float = 0.8,
    sureness: float = 1.0,
    protocol: str = "holdout",
    labels: tuple[str, ...] = (),
    seed: int = 1,
) -> Path:
    """A training folder whose model is no model: only its bytes count.

    Args:
        folder: to write.
        dataset: the clips' folder.
        features: folder of the features.
        head: its name.
        right: fraction of the test clips that is right.
        validated: the same of the validation clips.
        sureness: as of `made_up`.
        protocol: by which clips are held out.
        labels: by default those of the data set.
        seed: of the scores.
    """
    folder.mkdir(parents=True)
    found, source, clips = FeaturesReport.open(features), DatasetReport.open(dataset), read_clips(dataset)
    folds = make_folds(clips, Protocol.parse(protocol))
    (folder / "model.keras").write_text(f"{head} {seed}")

    def write(name: str, parts: list[tuple[Clip, ...]], fraction: float) -> Predictions:
        return _write(folder, name, parts, source.labels, fraction, seed, sureness)

    test = write("test", [fold.test for fold in folds], right)
    validation = write("validation", [fold.validation for fold in folds], validated)
    scores, truth = read_predictions(folder, validation, len(source.labels)), np.array(validation.truth)
    TrainingReport(
        data_hash=found.data_hash,
        protocol=protocol,
        folds=tuple(
            Fold(
                name=fold.name,
                train_clips=len(fold.train),
                validation_clips=len(fold.validation),
                test_clips=len(fold.test),
            )
            for fold in folds
        ),
        validation=validation,
        test=test,
        deployed=test,
        head=head,
        backbone=found.backbone,
        frames=found.frames,
        labels=labels or source.labels,
        best_epoch=1,
        epochs_run=1,
        stopped_early=False,
        seed=seed,
        parameters=1,
        model_sha256=sha256_file(folder / "model.keras"),
        metrics={
            "validation_accuracy": float((scores.argmax(axis=1) == truth).mean()),
            "validation_loss": cross_entropy(scores, truth),
        }
        if len(truth)
        else {},
        curves=dict.fromkeys(CURVES, (0.5,)),
    ).save(folder)
    return folder


def write_baselines(
    folder: Path, dataset: Path, *, protocol: str = "holdout", right: dict[str, float] = FLOORS
) -> Path:
    """A baselines folder; its rows are in another order than the training's."""
    folder.mkdir(parents=True)
    source, clips = DatasetReport.open(dataset), read_clips(dataset)
    parts = [fold.test[::-1] for fold in make_folds(clips, Protocol.parse(protocol))]
    BaselinesReport(
        data_hash=source.data_hash,
        protocol=protocol,
        labels=source.labels,
        baselines=tuple(
            Baseline(name=name, scored=_write(folder, name, parts, source.labels, fraction, len(name)))
            for name, fraction in right.items()
        ),
    ).save(folder)
    return folder


def _write(
    folder: Path,
    name: str,
    parts: list[tuple[Clip, ...]],
    labels: tuple[str, ...],
    right: float,
    seed: int,
    sureness: float = 1.0,
) -> Predictions:
    clips = [clip for part in parts for clip in part]
    truth = [labels.index(clip.label) for clip in clips]
    folds = [number for number, part in enumerate(parts) for _ in part]
    scores = made_up(truth, len(labels), right, seed, sureness)
    return write_predictions(folder, name, scores, [clip.clip_id for clip in clips], truth, folds)
