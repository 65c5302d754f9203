"""The training step: trains one head on one backbone's features, once per fold."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from components.training.distillation import check_distillation, distilled_scores
from components.training.folds import FoldRows, all_rows, fold_rows
from components.training.learners.epochs import EpochLearner
from components.training.learners.fold_results import EpochProgress, FoldCache, FoldResult, Learner
from components.training.learners.graph import memory_errors
from components.training.learners.linear_learner import LinearLearner
from components.training.output import TrainingResult, middle, write_results
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import TrainingReport
from reelflow.errors import ParamsError
from reelflow.nets.candidates import check_pair
from reelflow.nets.examples import Examples, load_examples
from reelflow.nets.heads import build_head, check_heads, is_linear, sees_side_by_side, views_seen
from reelflow.nets.runtime import seed_everything
from reelflow.nets.video.design import check_inflation, chosen_design, is_video_network
from reelflow.nets.video.memory import RGB, check_fits
from reelflow.params import TrainingParams
from reelflow.progress import emit
from reelflow.splitting.protocols import read_protocol
from reelflow.video.views import is_spatial
from reelflow.workers.memory import free_memory

WORK = "checkpoints"


def run(
    params: TrainingParams,
    *,
    head: str,
    protocol: str,
    dataset: Path,
    features: Path,
    model: Path,
    teachers: Path | None = None,
    inflate: Path | None = None,
    access: ShardAccess | None = None,
) -> TrainingReport:
    """Train on every fold, score its held-out clips, and write one model to deploy.

    By `holdout` it is the model of the only fold. By any other protocol it is trained on all clips, for
    the median of the best epochs of the folds.

    Args:
        params: optimiser, schedule and sizes.
        head: one of `reelflow.nets.heads.HEAD_NAMES`.
        protocol: the evaluation protocol, as text of `reelflow.splitting.protocols.Protocol`.
        dataset: folder of the dataset step.
        features: folder of the features step.
        model: the output; holds `model.keras`, `curves.csv`, scores and `training.json`.
        access: how features in a store are reached.
        teachers: the models of `params.teacher`, as `reelflow.tracking.teachers.gathered` lays them out.
        inflate: the file of `params.video.inflate`.

    Raises:
        ParamsError: unknown head or protocol, features that do not go with the head, a protocol that allows
            no teacher, a loss that is NaN or infinite, a network that cannot be inflated, or one that does
            not fit into memory.
        WeightsError: the file to inflate is missing, damaged, or of another network.
        DataError: a fold has no clips to train or validate on, or a class has no training clips.
        BundleError: an input is damaged, the features are of other clips, or a teacher does not match.
    """
    check_heads([head])
    check_inflation(head, params.video)
    scheme = read_protocol(protocol)
    if scheme.kind != "holdout" and (features / BACKBONE_WEIGHTS).is_file():
        raise ParamsError(
            f"the backbone of {features} was fine-tuned on clips that {scheme} holds out: use the "
            "protocol holdout, or features of a frozen backbone (features.finetune.blocks: 0)"
        )
    check_distillation(params, scheme, teachers)
    examples, clips = load_examples(dataset, features, seen=partial(views_seen, head, params), access=access)
    check_pair(examples.store.report.backbone.name, head)
    examples = replace(examples, beside=_is_beside(head, params, examples))
    folds = fold_rows(examples, clips, scheme)
    views = averaged_views(params, examples)
    is_holdout = scheme.kind == "holdout"
    progress = EpochProgress(len(folds) + (not is_holdout), 1 if is_linear(head) else params.epochs)
    with memory_errors(head, params):
        network = _build(head, examples, params, inflate)
        learner = _learner(params, network, examples, folds[0], teachers, views, model / WORK, progress)
        if is_holdout:
            results, deployed = [learner.train_fold(folds[0])], None
        else:
            results = _train_folds(learner, folds, FoldCache(model / WORK), progress)
            epochs = results[middle(results)].history.best_epoch
            whole = all_rows(examples, len(folds))
            learner.deploy(whole, epochs)
            deployed = learner.score(whole.train)
    report = write_results(
        TrainingResult(str(scheme), folds, results, learner.network, views, deployed), examples, params, model
    )
    shutil.rmtree(model / WORK, ignore_errors=True)
    return report


def _is_beside(head: str, params: TrainingParams, examples: Examples) -> bool:
    beside = sees_side_by_side(head, params)
    foreign = [name for name in examples.views if not is_spatial(name)]
    if beside and foreign:
        raise ParamsError(
            f"training.views is beside and the features hold {', '.join(foreign)}, which no device "
            "can compute from the frames of a clip: remove them from features.views, or set training.views "
            "to sample"
        )
    return beside


def averaged_views(params: TrainingParams, examples: Examples) -> tuple[int, ...]:
    """Indexes of the views whose scores are averaged: those that a device can compute, or the plain one."""
    spatial = (place for place, name in enumerate(examples.views) if is_spatial(name))
    return tuple(spatial) if params.views == "average" else (0,)


def _learner(
    params: TrainingParams,
    network: Any,
    examples: Examples,
    fold: FoldRows,
    teachers: Path | None,
    views: tuple[int, ...],
    work: Path,
    progress: EpochProgress,
) -> Learner:
    head, teacher = network.name, None
    if teachers and is_linear(head):
        emit("notice", message=f"{head} is fitted to the labels only: the teacher is not used")
    elif teachers:
        teacher = distilled_scores(teachers, examples, fold, params)
    if is_linear(head):
        return LinearLearner(network, examples, params, views, progress)
    return EpochLearner(network, examples, params, views, teacher, work, progress)


def _train_folds(
    learner: Learner, folds: Sequence[FoldRows], kept: FoldCache, progress: EpochProgress
) -> list[FoldResult]:
    """Train every fold; results of a killed attempt are reused."""
    results = []
    for fold in folds:
        result = kept.read(fold.number)
        if result:
            progress.finish(result.history.epochs)
        else:
            result = learner.train_fold(fold)
            kept.write(fold.number, result)
        results.append(result)
    return results


def _build(head: str, examples: Examples, params: TrainingParams, inflate: Path | None) -> Any:
    """The untrained network."""
    seed_everything(params.seed)
    found, classes = examples.store.report, len(examples.labels)
    windows = found.backbone.windows
    views = windows * (len(found.views) if examples.beside else 1)
    dim = found.backbone.dim // windows
    if is_video_network(head):
        _check_memory(head, examples, params)
    network = build_head(head, frames=found.frames, dim=dim, classes=classes, params=params, views=views)
    if inflate:
        from reelflow.nets.video.inflate import inflate as start_from

        start_from(network, inflate)
    return network


def _check_memory(head: str, examples: Examples, params: TrainingParams) -> None:
    """Refuse a batch that does not fit into main memory; a GPU refuses by itself."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    found = examples.store.report
    check_fits(
        chosen_design(head, params.video),
        params,
        frames=found.frames,
        side=math.isqrt(found.backbone.dim // RGB),
        classes=len(examples.labels),
        batch=min(params.batch_size, len(examples.clips)),
        free=free_memory(),
    )
