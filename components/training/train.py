"""Trains one head on one backbone's features, once per fold; in a team, every worker does so."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from components.training.distillation import check_distillation, distilled_scores
from components.training.folds import FoldRows, all_rows, fold_rows
from components.training.job import TrainingJob
from components.training.learners.epochs import EpochLearner
from components.training.learners.fold_results import EpochProgress, FoldCache, FoldResult, Learner
from components.training.learners.graph import memory_errors
from components.training.learners.linear_learner import LinearLearner
from components.training.learners.team import ALONE, Team
from components.training.output import TrainingResult, middle, write_results
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS
from reelflow.artifacts.shard_files import ShardAccess
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


def train(job: TrainingJob, access: ShardAccess | None = None, team: Team = ALONE) -> None:
    """Train on every fold, score its held-out clips, and write one model to deploy; the chief writes.

    By `holdout` it is the model of the only fold. By any other protocol it is trained on all clips, for
    the median of the best epochs of the folds.

    Args:
        job: what to train, and where the inputs and the output are.
        access: how features in a store are reached.
        team: the workers that train together.

    Raises:
        ParamsError: unknown head or protocol, features that do not go with the head, a protocol that allows
            no teacher, a loss that is NaN or infinite, a network that cannot be inflated, or one that does
            not fit into memory.
        WeightsError: the file to inflate is missing, damaged, or of another network.
        DataError: a fold has no clips to train or validate on, or a class has no training clips.
        BundleError: an input is damaged, the features are of other clips, or a teacher does not match.
    """
    params, head, scheme = job.params, job.head, read_protocol(job.protocol)
    check_heads([head])
    check_inflation(head, params.video)
    if scheme.kind != "holdout" and (job.features / BACKBONE_WEIGHTS).is_file():
        raise ParamsError(
            f"the backbone of {job.features} was fine-tuned on clips that {scheme} holds out: use the "
            "protocol holdout, or features of a frozen backbone (features.finetune.blocks: 0)"
        )
    check_distillation(params, scheme, job.teachers)
    seen = partial(views_seen, head, params)
    examples, clips = load_examples(job.dataset, job.features, seen=seen, access=access)
    check_pair(examples.store.report.backbone.name, head)
    examples = replace(examples, beside=_is_beside(head, params, examples))
    folds = fold_rows(examples, clips, scheme)
    is_holdout = scheme.kind == "holdout"
    progress = EpochProgress(len(folds) + (not is_holdout), 1 if is_linear(head) else params.epochs)
    with memory_errors(head, params):
        network = _build(job, examples, team)
        learner = _learner(job, network, examples, folds[0], progress, team)
        if is_holdout:
            results, deployed = [learner.train_fold(folds[0])], None
        else:
            results = _train_folds(learner, folds, FoldCache(job.work, team), progress)
            epochs = results[middle(results)].history.best_epoch
            whole = all_rows(examples, len(folds))
            learner.deploy(whole, epochs)
            deployed = learner.score(whole.train)
    views = averaged_views(params, examples)
    if team.is_chief:
        result = TrainingResult(str(scheme), folds, results, learner.network, views, deployed)
        write_results(result, examples, params, job.model)


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
    job: TrainingJob, network: Any, examples: Examples, fold: FoldRows, progress: EpochProgress, team: Team
) -> Learner:
    params, views, teacher = job.params, averaged_views(job.params, examples), None
    if is_linear(job.head):
        if job.teachers:
            emit("notice", message=f"{job.head} is fitted to the labels only: the teacher is not used")
        return LinearLearner(network, examples, params, views, progress)
    if job.teachers:
        teacher = distilled_scores(job.teachers, examples, fold, params)
    return EpochLearner(network, examples, params, views, teacher, job.work, progress, team)


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


def _build(job: TrainingJob, examples: Examples, team: Team) -> Any:
    """The untrained network."""
    params, head = job.params, job.head
    seed_everything(params.seed)
    found, classes = examples.store.report, len(examples.labels)
    windows = found.backbone.windows
    views = windows * (len(found.views) if examples.beside else 1)
    dim = found.backbone.dim // windows
    if is_video_network(head):
        _check_memory(job, examples, team)
    network = build_head(head, frames=found.frames, dim=dim, classes=classes, params=params, views=views)
    if job.inflate:
        from reelflow.nets.video.inflate import inflate as start_from

        start_from(network, job.inflate)
    return network


def _check_memory(job: TrainingJob, examples: Examples, team: Team) -> None:
    """Refuse a batch that does not fit into main memory; a GPU refuses by itself."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return
    found = examples.store.report
    check_fits(
        chosen_design(job.head, job.params.video),
        job.params,
        frames=found.frames,
        side=math.isqrt(found.backbone.dim // RGB),
        classes=len(examples.labels),
        batch=min(job.params.batch_size, len(examples.clips)),
        workers=team.size,
        free=free_memory() // team.neighbours,
    )
