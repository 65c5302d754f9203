"""The features step: codes of every frame by one backbone, in shards that training memory-maps."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from components.features.codes import embed
from components.features.finetune import finetune
from components.features.kernels import kernels_of
from components.features.shards import (
    FeatureShardInputs,
    fetch_shard,
    finished_shard,
    inputs_of,
    move_shard,
    share_shard,
    stored_shard,
    write_shards,
)
from reelflow.artifacts.evaluations import BACKBONE_WEIGHTS
from reelflow.artifacts.features import KIND
from reelflow.artifacts.frames import FrameStore
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.backbones.interface import Backbone, Codes
from reelflow.backbones.registry import load_backbone
from reelflow.contracts import FeatureShard, FeaturesReport, FrameShard
from reelflow.objectstore.shards import SharedShards, shared_shards
from reelflow.params import FeaturesParams
from reelflow.progress import report as report_progress
from reelflow.settings import Settings
from reelflow.video.views import check_views
from reelflow.workers.cpus import granted_cpus
from reelflow.workers.lookahead import AHEAD, ahead


def run(
    params: FeaturesParams,
    *,
    backbone: str,
    frames: Path,
    features: Path,
    settings: Settings,
    dataset: Path | None = None,
    weights: Path | None = None,
    access: ShardAccess | None = None,
) -> FeaturesReport:
    """Embed every view of the frames of every clip, by a frozen or fine-tuned network.

    Finished shards are kept; shards of other runs and machines are fetched.

    Args:
        params: the views, fine-tuning, and the source of the weights, unless `weights` is given.
        backbone: its name.
        frames: output of the frames step.
        features: the output; `features.json` is written last.
        settings: cache and mirror of downloaded weights.
        dataset: output of the dataset step; needed for fine-tuning.
        weights: a file, or a folder of files.
        access: how shards are shared, and whether they stay in the store.

    Raises:
        ParamsError: unknown backbone or view, the frames of a view were not kept, or
            fine-tuning is impossible with these params.
        WeightsError: the weights are missing, altered, of another network, or not reachable.
        BundleError: the folder of frames is incomplete.
        StorageError: the disk is full or read-only.
    """
    access = access or ShardAccess()
    source = FrameStore(frames, access)
    views = params.views_of(backbone)
    check_views(views, source.report.oversample)
    load = partial(load_backbone, backbone, seed=params.seed, settings=settings, networks=params.networks)
    network = load(str(weights or params.weights))
    metrics, curves = {}, {}
    if params.finetune.blocks:
        tuning = finetune(params, network, dataset=dataset, store=source, features=features)
        metrics, curves = tuning.metrics, tuning.curves
        network = load(str(features / BACKBONE_WEIGHTS))
    shared = shared_shards(access.store, KIND)
    work = Embedding(source, network, views, features, shared, access.stays, kernels_of(network))
    report = FeaturesReport(
        data_hash=source.report.data_hash,
        backbone=network.spec,
        frames=source.report.count,
        views=views,
        shards=_finish_shards(work),
        metrics={
            "clips": len(source.clip_ids),
            "frames": len(source.clip_ids) * source.report.count,
            "views": len(views),
            **metrics,
        },
        curves=curves,
        stored=access.stays,
    )
    report.save(features)
    return report


@dataclass(frozen=True)
class Embedding:
    """Inputs and output of an embedding; shards that stay in the store leave `features`."""

    store: FrameStore
    network: Backbone
    views: tuple[str, ...]
    features: Path
    shared: SharedShards | None
    stays: bool
    kernels: str


@dataclass(frozen=True)
class ShardPlan:
    """A shard of frames: its finished and its missing views."""

    source: FrameShard
    found: tuple[FeatureShard, ...]
    missing: tuple[FeatureShardInputs, ...]


def _finish_shards(work: Embedding) -> tuple[FeatureShard, ...]:
    """Compute the missing shards; returns the shards of every view."""
    plans = [_plan(work, source) for source in work.store.shards]
    finished: list[FeatureShard] = []
    with closing(_embed_all(work, plans)) as codes:
        for plan in plans:
            finished += plan.found
            if plan.missing:
                clips = islice(codes, len(plan.source.clip_ids))
                frames = work.store.report.count
                finished += write_shards(work.features, plan.missing, clips, frames)
                for origin in plan.missing:
                    _share(work, origin)
    return tuple(sorted(finished, key=lambda shard: work.views.index(shard.view)))


def _plan(work: Embedding, source: FrameShard) -> ShardPlan:
    origins = [inputs_of(source, work.network.spec, view, work.kernels) for view in work.views]
    found = [_find_shard(work, origin) for origin in origins]
    missing = [origin for origin, shard in zip(origins, found, strict=True) if shard is None]
    return ShardPlan(source, tuple(filter(None, found)), tuple(missing))


def _find_shard(work: Embedding, origin: FeatureShardInputs) -> FeatureShard | None:
    """A shard that an earlier attempt, another run or another machine has finished."""
    shard = finished_shard(work.features, origin)
    if shard is None and work.shared:
        find = stored_shard if work.stays else fetch_shard
        return find(work.features, origin, work.shared)
    if shard:
        _share(work, origin)  # the earlier attempt may have been killed before it shared the shard
    return shard


def _share(work: Embedding, origin: FeatureShardInputs) -> None:
    if work.shared:
        send = move_shard if work.stays else share_shard
        send(work.features, origin, work.shared)


def _embed_all(work: Embedding, plans: Sequence[ShardPlan]) -> Generator[Codes, None, None]:
    """Codes of the clips of missing shards, in order; progress includes earlier attempts.

    Decoding, resizing and the networks run in threads, one a CPU, some clips ahead.
    """
    total = len(work.store.clip_ids)
    done = sum(len(plan.source.clip_ids) for plan in plans if not plan.missing)
    report_progress(done, total, "clips")
    threads = granted_cpus()
    pool = ThreadPoolExecutor(threads)

    def submit(task: tuple[list[str], str]) -> "Future[Codes]":
        return pool.submit(embed, work.store, work.network, *task)

    try:
        for future in ahead(submit, _tasks(work, plans), threads * AHEAD):
            codes = future.result()
            done += 1
            report_progress(done, total, "clips")
            yield codes
    finally:
        pool.shutdown(cancel_futures=True)


def _tasks(work: Embedding, plans: Sequence[ShardPlan]) -> Iterator[tuple[list[str], str]]:
    """Missing views and id of every clip; shards are checked before their first clip."""
    for plan in plans:
        if plan.missing:
            work.store.check(plan.source)
            views = [origin.view for origin in plan.missing]
            yield from ((views, clip_id) for clip_id in plan.source.clip_ids)
