"""Tables of a run: `summary.json`, and files for `dvc metrics` and `dvc plots`."""

import json
from collections.abc import Sequence
from pathlib import Path

from reelflow.artifacts.evaluations import Candidate
from reelflow.contracts import BundleReport, ReleaseReport, Summary, SummaryRow
from reelflow.files import write_csv, write_text

CURVES = ("train_loss", "validation_loss", "train_accuracy", "validation_accuracy")


def write_tables(
    folder: Path, chosen: Candidate, ranked: Sequence[Candidate], bundle: BundleReport, outcome: ReleaseReport
) -> None:
    """Write `summary.json`, `metrics.json`, `curves.csv` (by epoch), `confusion.csv` (by clip)."""
    write_text(folder / "summary.json", summarise(ranked, bundle, outcome).to_json())
    metrics = {candidate.name: candidate.report.metrics for candidate in ranked} | {"bundle": outcome.metrics}
    write_text(folder / "metrics.json", json.dumps(metrics, indent=2, sort_keys=True) + "\n")
    curves = chosen.report.training.curves
    columns = [curves[name] for name in CURVES]
    epochs = ((epoch, *values) for epoch, values in enumerate(zip(*columns, strict=True), start=1))
    write_csv(folder / "curves.csv", ("epoch", *CURVES), epochs)
    labels = chosen.report.labels
    pairs = zip(chosen.report.truth, chosen.scores().argmax(axis=1), strict=True)
    names = ((labels[actual], labels[predicted]) for actual, predicted in pairs)
    write_csv(folder / "confusion.csv", ("actual", "predicted"), names)


def summarise(ranked: Sequence[Candidate], bundle: BundleReport, outcome: ReleaseReport) -> Summary:
    """The summary of a run; the driver adds the seconds."""
    return Summary(
        rows=tuple(_row(candidate) for candidate in ranked),
        chosen=bundle.name,
        protocol=ranked[0].report.training.protocol,
        baselines={baseline.name: baseline.accuracy for baseline in ranked[0].report.baselines},
        labels=bundle.labels,
        data_hash=bundle.data_hash,
        parity=bundle.parity,
        promoted=outcome.promoted,
        explanation=outcome.explanation,
        warnings=outcome.warnings,
        note=outcome.note,
    )


def _row(candidate: Candidate) -> SummaryRow:
    metrics = candidate.report.metrics
    return SummaryRow(
        backbone=candidate.report.training.backbone.name,
        head=candidate.report.training.head,
        accuracy=metrics["accuracy"],
        accuracy_interval=candidate.report.intervals["accuracy"],
        top5_accuracy=metrics["top5_accuracy"],
        macro_f1=metrics["macro_f1"],
        test_clips=len(candidate.report.truth),
    )
