"""Distillation: a smaller model learns the scores of trained teachers.

A teacher must not have seen a held-out clip. This is certain only for a teacher that was trained by
holdout on the same data set.
"""

from pathlib import Path

import numpy as np

from components.training.folds import FoldRows
from components.training.learners.epochs import score, scored_at_once
from components.training.learners.graph import scorer
from components.training.learners.objective import Scores
from reelflow.contracts import FeaturesReport, TrainingReport
from reelflow.errors import BundleError, ParamsError
from reelflow.nets.examples import Examples
from reelflow.nets.saved import load_head
from reelflow.params import TrainingParams
from reelflow.splitting.protocols import Protocol


def check_distillation(params: TrainingParams, protocol: Protocol, teachers: Path | None) -> None:
    """Check that the protocol allows teachers and that they exist.

    Raises:
        ParamsError: the protocol allows no teacher, or a teacher is missing.
    """
    if params.teacher and protocol.kind != "holdout":
        raise ParamsError(
            f"training.teacher is set and evaluation.protocol is {protocol}: a teacher has been trained on "
            "clips that some fold tests; use the protocol holdout, or no teacher"
        )
    if params.teacher and teachers is None:
        raise ParamsError("training.teacher is set, but the training step got no teacher")


def distilled_scores(teachers: Path, examples: Examples, fold: FoldRows, params: TrainingParams) -> Scores:
    """Mean scores of all teachers, `(rows, views, classes)`; zeros for rows outside of `fold.train`.

    Args:
        teachers: a folder with one training folder per teacher.
        examples: all clips.
        fold: the fold to train.
        params: of the training.

    Raises:
        BundleError: a teacher is damaged, expects other features, has other classes, or may have seen
            held-out clips.
    """
    folders = sorted(path for path in teachers.iterdir() if path.is_dir())
    scores = np.zeros((len(examples.clips), len(examples.views), len(examples.labels)), np.float32)
    for folder in folders:
        report = TrainingReport.open(folder)
        _check(folder.name, report, examples)
        network = scorer(load_head(folder / "model.keras", sha256=report.model_sha256))
        at_once = scored_at_once(report.head, params)
        for view in range(len(examples.views)):
            found = score(network, examples, fold.train, (view,), at_once)
            scores[fold.train, view] += found / len(folders)
    return scores


def _check(name: str, teacher: TrainingReport, examples: Examples) -> None:
    found: FeaturesReport = examples.store.report
    if teacher.labels != examples.labels:
        raise BundleError(
            f"{name} has the classes {_few(teacher.labels)}, the clips have {_few(examples.labels)}: "
            "use a teacher that was trained on these classes"
        )
    if (teacher.backbone, teacher.frames) != (found.backbone, found.frames):
        raise BundleError(
            f"{name} expects {teacher.frames} frames of {teacher.backbone.name}, the features are "
            f"{found.frames} of {found.backbone.name} (weights may differ too): "
            "use a teacher that was trained on these features"
        )
    if teacher.beside != examples.beside or (teacher.beside and teacher.views != found.views):
        seen = "side by side" if teacher.beside else "one at a time"
        raise BundleError(
            f"{name} sees the views {_few(teacher.views)} {seen}, unlike this training: "
            "use a teacher with the same features.views and training.views"
        )
    if teacher.protocol != "holdout" or teacher.data_hash != found.data_hash:
        raise BundleError(
            f"{name} was trained by {teacher.protocol} on data {teacher.data_hash[:8]} and may have seen "
            f"clips that are held out here: use one trained by holdout on data {found.data_hash[:8]}"
        )


def _few(labels: tuple[str, ...]) -> str:
    return ", ".join(labels[:5]) + (", ..." if len(labels) > 5 else "")
