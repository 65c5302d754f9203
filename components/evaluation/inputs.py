"""Inputs of an evaluation: scores of a classifier and of the baselines, on the same clips."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from components.evaluation.measures import Scores, Truth
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.evaluations import MODEL
from reelflow.artifacts.predictions import read_predictions
from reelflow.contracts import (
    Baseline,
    BaselinesReport,
    Clip,
    DatasetReport,
    FeaturesReport,
    Predictions,
    TrainingReport,
)
from reelflow.errors import BundleError, DataError
from reelflow.files import sha256_file


@dataclass(frozen=True)
class Inputs:
    """The scores of one classifier, and the data to measure them with.

    Attributes:
        training: the report of the training.
        scores: of the test clips, `(clips, classes)`, in the order of `training.test`.
        truth: class index of each test clip.
        groups: group of each test clip.
        validation: scores of the validation clips, `(clips, classes)`.
        validation_truth: class index of each validation clip.
        baselines: each baseline's scores of the test clips, `(clips, classes)`.
    """

    training: TrainingReport
    scores: Scores
    truth: Truth
    groups: tuple[str, ...]
    validation: Scores
    validation_truth: Truth
    baselines: Mapping[str, Scores]


def read_inputs(*, protocol: str, dataset: Path, features: Path, model: Path, baselines: Path) -> Inputs:
    """Read the folders and check that they belong together.

    Raises:
        DataError: no clips to test on, or none to calibrate on.
        BundleError: a folder is damaged, or from another data set, protocol or backbone.
    """
    training, baseline_report = TrainingReport.open(model), BaselinesReport.open(baselines)
    source, clips = DatasetReport.open(dataset), {clip.clip_id: clip for clip in read_clips(dataset)}
    _check_model(training, model, features)
    for name, folder, report in (("model", model, training), ("baselines", baselines, baseline_report)):
        _check_belongs(name, folder, report, source, protocol)
        for scored in _all_scored(report):
            _check_clips(scored, folder, clips, source.labels)
    test, validation = training.test, training.validation
    for split, scored in (("test", test), ("validation", validation)):
        if not scored.clip_ids:
            raise DataError(f"no clips with features in the {split} split: add clips or split it otherwise")
    classes = len(source.labels)
    return Inputs(
        training=training,
        scores=read_predictions(model, test, classes),
        truth=np.array(test.truth),
        groups=tuple(clips[clip_id].group for clip_id in test.clip_ids),
        validation=read_predictions(model, validation, classes),
        validation_truth=np.array(validation.truth),
        baselines={
            baseline.name: _same_rows(baseline, baselines, test, classes)
            for baseline in baseline_report.baselines
        },
    )


def _check_model(training: TrainingReport, model: Path, features: Path) -> None:
    found = FeaturesReport.open(features)
    trained_on = (training.data_hash, training.backbone, training.frames)
    if (found.data_hash, found.backbone, found.frames) != trained_on:
        raise BundleError(
            f"the model was trained on other features ({training.backbone.name}) than {features} holds "
            f"({found.backbone.name}): train on these, or name those"
        )
    path = model / MODEL
    if not path.is_file() or sha256_file(path) != training.model_sha256:
        raise BundleError(f"{path} is not the model that its report names: train it again")


def _check_belongs(
    name: str, folder: Path, report: TrainingReport | BaselinesReport, source: DatasetReport, protocol: str
) -> None:
    if (report.data_hash, report.labels) != (source.data_hash, source.labels):
        raise BundleError(
            f"the {name} in {folder} knows other clips ({report.data_hash[:12]}) or other classes than the "
            f"data set ({source.data_hash[:12]}): run its step again"
        )
    if report.protocol != protocol:
        raise BundleError(
            f"the {name} in {folder} was measured by {report.protocol}, but evaluation.protocol is "
            f"{protocol}: run its step again"
        )


def _all_scored(report: TrainingReport | BaselinesReport) -> tuple[Predictions, ...]:
    if isinstance(report, BaselinesReport):
        return tuple(baseline.scored for baseline in report.baselines)
    return report.test, report.validation


def _check_clips(
    scored: Predictions, folder: Path, clips: Mapping[str, Clip], labels: tuple[str, ...]
) -> None:
    """Check that every scored clip is in the data set, with the same class."""
    for clip_id, place in zip(scored.clip_ids, scored.truth, strict=True):
        clip = clips.get(clip_id)
        if clip is None or not 0 <= place < len(labels) or clip.label != labels[place]:
            raise BundleError(
                f"{folder / scored.file} scores clip {clip_id} as {_name(labels, place)}; in the data set it "
                f"is {clip.label if clip else 'missing'}: run the step that wrote it again"
            )


def _name(labels: tuple[str, ...], place: int) -> str:
    return labels[place] if 0 <= place < len(labels) else f"class {place}"


def _same_rows(baseline: Baseline, folder: Path, test: Predictions, classes: int) -> Scores:
    """The baseline's scores in the order of the test clips."""
    places = {clip_id: row for row, clip_id in enumerate(baseline.scored.clip_ids)}
    if places.keys() != set(test.clip_ids):
        raise BundleError(
            f"the {baseline.name} baseline in {folder} was tested on {len(places)} clips, the model on "
            f"{len(test.clip_ids)}, and they are not the same: run both steps again on the same frames"
        )
    rows = [places[clip_id] for clip_id in test.clip_ids]
    return read_predictions(folder, baseline.scored, classes)[rows]
