"""The features step: one frozen backbone's codes of every frame, in shards that training maps."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from components.features.shards import finished_shard, write_shard
from reelflow.backbones import Backbone, Codes, load_backbone
from reelflow.contracts import FeatureShard, FeaturesReport
from reelflow.params import FeaturesParams
from reelflow.progress import report as report_progress
from reelflow.stores.frames import FrameStore
from reelflow.video.preprocess import preprocess


def run(
    params: FeaturesParams, *, backbone: str, frames: Path, features: Path, weights: Path | None = None
) -> FeaturesReport:
    """Embed the frames of every clip; shards that are whole are kept.

    Args:
        params: where the weights come from, unless `weights` names them.
        backbone: its name.
        frames: output of the frames step.
        features: where the codes are written; `features.json` comes last.
        weights: a file, or a folder of files.

    Raises:
        ParamsError: there is no such backbone.
        WeightsError: its weights are missing, altered, of another network, or not reachable.
        BundleError: the frames' folder is not whole.
        StorageError: the disk is full or read-only.
    """
    store = FrameStore(frames)
    network = load_backbone(backbone, str(weights or params.weights), seed=params.seed)
    shards = _embed_shards(store, network, features)
    report = FeaturesReport(
        data_hash=store.report.data_hash,
        backbone=network.spec,
        frames=store.report.count,
        shards=tuple(shards),
        metrics={"clips": len(store.clip_ids), "frames": len(store.clip_ids) * store.report.count},
    )
    report.save(features)
    return report


def _embed_shards(store: FrameStore, network: Backbone, features: Path) -> list[FeatureShard]:
    """Embed shard by shard; decoding, resizing and the networks run in threads, one a core."""
    finished: list[FeatureShard] = []
    done, total = 0, len(store.clip_ids)
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        for source in store.shards:
            report_progress(done, total, "clips")
            shard = finished_shard(features, source, network.spec)
            if shard is None:
                store.check(source)
                outcomes = pool.map(lambda clip_id: _embed(store, network, clip_id), source.clip_ids)
                codes = _collect(outcomes, len(source.clip_ids), store, network, done)
                shard = write_shard(features, source, network.spec, codes)
            finished.append(shard)
            done += len(source.clip_ids)
    finally:
        pool.shutdown(cancel_futures=True)
    report_progress(done, total, "clips")
    return finished


def _embed(store: FrameStore, network: Backbone, clip_id: str) -> Codes:
    """Codes of one clip, `(frames, dim)`."""
    return network.embed(preprocess(store.read(clip_id), network.spec.preprocessing))


def _collect(outcomes: Iterable[Codes], clips: int, store: FrameStore, network: Backbone, done: int) -> Codes:
    """Put a shard's codes together, `(clips, frames, dim)`."""
    codes: Codes = np.empty((clips, store.report.count, network.spec.dim), network.spec.dtype)
    for row, outcome in enumerate(outcomes):
        codes[row] = outcome
        report_progress(done + row + 1, len(store.clip_ids), "clips")
    return codes
