"""Finished runs in MLflow, without the work, and what `compare` says of them."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from typer.testing import CliRunner

from pipelines.__main__ import app
from reelflow.artifacts.evaluations import SCORES
from reelflow.contracts import EvaluationReport
from reelflow.files import sha256_file, write_array
from reelflow.settings import Settings
from reelflow.tracking.records import record_folder
from tests.fake_reports import (
    LABELS,
    PARAMS,
    baseline_comparison,
    dataset_report,
    evaluation_report,
    interval,
    release_report,
    save_step,
    scored,
    training_report,
)

CLIPS = 40
TRUTH = np.arange(CLIPS) % 2
BASELINE = 0.5


def record(
    folder: Path,
    name: str,
    right: int,
    *,
    learning_rate: float = 0.001,
    first_clip: int = 0,
    labels: tuple[str, ...] = LABELS,
    released: Mapping[str, float] | None = None,
) -> None:
    """A finished run whose classifier names the first `right` of its 40 clips correctly.

    Args:
        folder: for the outputs of its steps.
        name: of the run.
        right: how many.
        learning_rate: of its training.
        first_clip: number of its first test clip.
        labels: of its two classes.
        released: further metrics of the release step.
    """
    place = folder / re.sub(r"\W", "_", name)
    answers = np.where(np.arange(CLIPS) < right, TRUTH, 1 - TRUTH)
    place.mkdir()
    write_array(place / SCORES, np.eye(2, dtype=np.float32)[answers])
    report = _evaluation(place, right / CLIPS, first_clip, labels)
    metrics = {"accuracy": right / CLIPS} | dict(released or {})
    training = PARAMS.training.model_copy(update={"learning_rate": learning_rate})
    steps = (
        (dataset_report(), "dataset", PARAMS.dataset),
        (report.training, "training", training),
        (report, "evaluation", PARAMS.evaluation),
        (release_report(name=report.name, metrics=metrics), "release", PARAMS.release),
    )
    for one, step, section in steps:
        step_folder = save_step(place / step, one, step, section)
        if step == "evaluation":
            shutil.move(place / SCORES, step_folder / SCORES)
        record_folder(Settings().model_copy(update={"run_name": name}), step_folder)


def _evaluation(place: Path, accuracy: float, first_clip: int, labels: tuple[str, ...]) -> EvaluationReport:
    baselines = [
        baseline_comparison(name, BASELINE, accuracy, clearly_above=accuracy > BASELINE)
        for name in ("metadata", "thumbnails")
    ]
    return evaluation_report(
        training=training_report(test=scored(clips=CLIPS)),
        labels=labels,
        clip_ids=tuple(f"{number:016x}" for number in range(first_clip, first_clip + CLIPS)),
        truth=tuple(map(int, TRUTH)),
        groups=tuple(f"g{number // 2}" for number in range(CLIPS)),
        scores_sha256=sha256_file(place / SCORES),
        metrics={"accuracy": accuracy, "macro_f1": 0.5},
        intervals={"accuracy": interval(accuracy), "macro_f1": interval(0.5)},
        baselines=tuple(baselines),
    )


def shown(*arguments: object) -> str:
    """What `compare` prints."""
    done = CliRunner().invoke(app, ["compare", *map(str, arguments)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output
