"""Small, valid reports for tests of what reads them."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.clips import CLIPS, write_clips
from reelflow.artifacts.evaluations import SCORES
from reelflow.contracts import (
    BackboneSpec,
    Baseline,
    BaselineComparison,
    BaselinesReport,
    Bin,
    BundleReport,
    Calibration,
    ClassScores,
    DatasetReport,
    EvaluationReport,
    Fold,
    Interval,
    Parity,
    Predictions,
    Preprocessing,
    ReleaseReport,
    Sampling,
    Summary,
    SummaryRow,
    TrainingReport,
)
from reelflow.documents import Report
from reelflow.files import sha256_file, write_array, write_text
from reelflow.params import Section, load_params
from reelflow.provenance.step import PROVENANCE, Provenance
from tests.fake_features import make_clips

HASH = "5f" * 32
LABELS = ("falling", "rising")
PARAMS = load_params(Path("params.yaml"))


def backbone(name: str = "thumbnail") -> BackboneSpec:
    how = Preprocessing(height=12, width=16, color="grey", resize="pil-bilinear", value_range=None)
    return BackboneSpec(
        name=name, preprocessing=how, dim=192, dtype="uint8", scale=1 / 255, weights_sha256=None
    )


def dataset_report(**changes: object) -> DatasetReport:
    values = {
        "metrics": {"clips": 20.0},
        "source": "clips",
        "generated": False,
        "labels": LABELS,
        "split_counts": {"train": 12, "validation": 2, "test": 6},
        "groups": 4,
        "dropped_classes": (),
        "quarantined": (),
        "data_hash": HASH,
        "clips_sha256": HASH,
    }
    return DatasetReport.model_validate(values | changes)


def clip_ids(count: int = 10) -> tuple[str, ...]:
    return tuple(f"{index:016x}" for index in range(count))


def scored(name: str = "test", clips: int = 10, folds: int = 1) -> Predictions:
    """Scores of clips of two classes, first the ones, then the others; no file is behind them."""
    return Predictions(
        file=f"{name}.npy",
        sha256=HASH,
        clip_ids=clip_ids(clips),
        truth=tuple(int(row >= clips / 2) for row in range(clips)),
        folds=tuple(row % folds for row in range(clips)),
    )


def made_up_folds(protocol: str = "holdout", folds: int = 1) -> tuple[Fold, ...]:
    names = ["holdout"] if protocol == "holdout" else [f"fold {number + 1}" for number in range(folds)]
    return tuple(Fold(name=n, train_clips=12, validation_clips=2, test_clips=6, best_epoch=3) for n in names)


def training_report(head: str = "gru", **changes: object) -> TrainingReport:
    values = {
        "metrics": {"validation_loss": 0.4, "validation_accuracy": 0.9},
        "curves": {
            "train_loss": (0.9, 0.5, 0.3),
            "validation_loss": (0.8, 0.6, 0.4),
            "train_accuracy": (0.5, 0.7, 0.9),
            "validation_accuracy": (0.5, 0.8, 0.9),
        },
        "data_hash": HASH,
        "protocol": "holdout",
        "folds": made_up_folds(),
        "validation": scored("validation", 2),
        "test": scored(),
        "deployed": scored(),
        "head": head,
        "backbone": backbone(),
        "frames": 5,
        "labels": LABELS,
        "best_epoch": 3,
        "epochs_run": 3,
        "stopped_early": False,
        "seed": 1,
        "parameters": 1234,
        "model_sha256": HASH,
    }
    return TrainingReport.model_validate(values | changes)


def interval(accuracy: float, width: float = 0.1) -> Interval:
    return Interval(low=round(max(0.0, accuracy - width), 6), high=round(min(1.0, accuracy + width), 6))


def calibration(**changes: object) -> Calibration:
    values = {
        "temperature": 1.7,
        "error_before": 0.21,
        "error": 0.06,
        "bins": (
            *(Bin(clips=0, confidence=0, accuracy=0) for _ in range(5)),
            Bin(clips=2, confidence=0.55, accuracy=0.5),
            Bin(clips=2, confidence=0.64, accuracy=0.5),
            Bin(clips=0, confidence=0, accuracy=0),
            Bin(clips=4, confidence=0.84, accuracy=0.75),
            Bin(clips=2, confidence=0.97, accuracy=1.0),
        ),
        "reject_below": 0.61,
        "target": 0.9,
        "target_met": True,
        "accepted": 0.7,
        "accepted_accuracy": 0.857,
    }
    return Calibration.model_validate(values | changes)


def baseline_comparison(name: str, accuracy: float, of: float, *, clearly_above: bool) -> BaselineComparison:
    """A classifier of accuracy `of` against a baseline."""
    low = 0.05 if clearly_above else -0.05
    return BaselineComparison(
        name=name,
        accuracy=accuracy,
        interval=interval(accuracy),
        difference=of - accuracy,
        difference_interval=Interval(low=low, high=max(of - accuracy, low) + 0.15),
        clearly_above=clearly_above,
    )


def baselines_report(**changes: object) -> BaselinesReport:
    values = {
        "metrics": {"metadata_accuracy": 0.5, "thumbnails_accuracy": 0.4},
        "data_hash": HASH,
        "protocol": "holdout",
        "labels": LABELS,
        "baselines": tuple(Baseline(name=name, scored=scored(name)) for name in ("metadata", "thumbnails")),
    }
    return BaselinesReport.model_validate(values | changes)


def evaluation_report(head: str = "gru", accuracy: float = 0.8, **changes: object) -> EvaluationReport:
    """Ten test clips of two classes."""
    wrong = round((1 - accuracy) * 10)
    scores = ClassScores(label="falling", precision=0.9, recall=0.8, f1=0.85, support=5)
    values = {
        "metrics": {
            "accuracy": accuracy,
            "top5_accuracy": 1.0,
            "macro_f1": accuracy,
            "validation_accuracy": accuracy,
            "validation_loss": 1 - accuracy,
        },
        "name": f"thumbnail-{head}",
        "data_hash": HASH,
        "training": training_report(head),
        "labels": LABELS,
        "top_k": 2,
        "clip_ids": clip_ids(),
        "truth": (0,) * 5 + (1,) * 5,
        "groups": tuple(f"group {row % 5}" for row in range(10)),
        "intervals": {
            "accuracy": interval(accuracy),
            "top5_accuracy": interval(1.0),
            "macro_f1": interval(accuracy),
        },
        "calibration": calibration(),
        "baselines": (
            baseline_comparison("metadata", 0.5, accuracy, clearly_above=True),
            baseline_comparison("thumbnails", 0.4, accuracy, clearly_above=True),
        ),
        "confusion": ((5, 0), (wrong, 5 - wrong)),
        "per_class": (scores, scores.model_copy(update={"label": "rising"})),
        "averages": (
            scores.model_copy(update={"label": "macro", "support": 10}),
            scores.model_copy(update={"label": "weighted", "support": 10}),
        ),
        "scores_sha256": HASH,
        "model_sha256": HASH,
    }
    return EvaluationReport.model_validate(values | changes)


def bundle_report(**changes: object) -> BundleReport:
    values = {
        "metrics": {"agreement": 1.0},
        "name": "thumbnail-gru",
        "data_hash": HASH,
        "labels": LABELS,
        "sampling": Sampling(frames=5),
        "backbone": backbone(),
        "backbone_quantization": "none",
        "head": "gru",
        "head_quantization": "dynamic",
        "accuracy": 0.8,
        "temperature": 1.7,
        "reject_below": 0.61,
        "parity": Parity(
            clips=10,
            agreement=1.0,
            max_score_difference=0.002,
            keras_accuracy=0.8,
            litert_accuracy=0.8,
        ),
        "files": {},
        "size_bytes": 2_000_000,
    }
    return BundleReport.model_validate(values | changes)


def release_report(**changes: object) -> ReleaseReport:
    values = {
        "metrics": {"accuracy": 0.8},
        "name": "thumbnail-gru",
        "data_hash": HASH,
        "model_name": "reelflow",
        "version": 1,
        "promoted": True,
        "aliases": ("challenger", "champion"),
        "gates": (),
        "explanation": "promoted",
    }
    return ReleaseReport.model_validate(values | changes)


def scores_of(report: EvaluationReport) -> NDArray[np.float32]:
    """Scores that give the confusion matrix of a report, `(clips, classes)`."""
    best = [place for row in report.confusion for place, count in enumerate(row) for _ in range(count)]
    scores = np.full((len(best), len(report.labels)), 0.1, np.float32)
    scores[np.arange(len(best)), best] = 0.9
    return scores


def summary_of(report: ReleaseReport) -> Summary:
    """The summary of a run with this release."""
    accuracy = report.metrics["accuracy"]
    row = SummaryRow(
        backbone="thumbnail",
        head="gru",
        accuracy=accuracy,
        accuracy_interval=interval(accuracy),
        top5_accuracy=1.0,
        macro_f1=accuracy,
        test_clips=10,
    )
    return Summary(
        rows=(row,),
        chosen=report.name,
        protocol="holdout",
        baselines={"metadata": 0.5, "thumbnails": 0.4},
        labels=LABELS,
        data_hash=report.data_hash,
        parity=bundle_report().parity,
        promoted=report.promoted,
        explanation=report.explanation,
    )


def save_step(
    folder: Path, report: Report, step: str, params: Section, options: dict[str, str] | None = None
) -> Path:
    """Save a report as a finished step leaves it, with its provenance and the files that are recorded."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(report, EvaluationReport) and report.scores_sha256 == HASH:
        write_array(folder / SCORES, scores_of(report))
        report = report.model_copy(update={"scores_sha256": sha256_file(folder / SCORES)})
    if isinstance(report, ReleaseReport):
        write_text(folder / "summary.json", summary_of(report).to_json())
    if isinstance(report, DatasetReport):
        write_clips(make_clips(LABELS, {"train": 6, "validation": 1, "test": 3}), folder / CLIPS)
        report = report.model_copy(update={"clips_sha256": sha256_file(folder / CLIPS)})
    report.save(folder)
    provenance = Provenance(
        step=step,
        options=options or {},
        params=params.of_one_task(),
        inputs={},
        code="code",
        libraries={},
        python="3.11",
    )
    write_text(folder / PROVENANCE, provenance.to_json())
    return folder
