"""The clips of a split as a network sees them: batches of float32 features and class indices."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import SPLITS, DatasetReport, Split
from reelflow.errors import BundleError, DataError
from reelflow.progress import emit
from reelflow.stores.clips import read_clips
from reelflow.stores.features import FeatureStore


@dataclass(frozen=True)
class Examples:
    """The clips of one split.

    Attributes:
        store: codes of every clip, memory-mapped.
        labels: the classes' names; a name's place is its class index.
        clip_ids: the clips of this split.
        truth: class index a clip, `(clips,) int64`.
    """

    store: FeatureStore
    labels: tuple[str, ...]
    clip_ids: tuple[str, ...]
    truth: NDArray[np.int64]

    def batches(self, size: int, order: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
        """Rows of evenly filled batches of at most `size`; each is `(n,)`.

        Evenly, because a batch norm learns nothing from a last batch of one clip.
        """
        rows = np.arange(len(self.clip_ids)) if order is None else order
        return np.array_split(rows, math.ceil(len(rows) / size))

    def features(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Features of some rows, `(n, frames, dim) float32`."""
        codes = self.store.gather([self.clip_ids[row] for row in rows])
        features: NDArray[np.float32] = codes.astype(np.float32) * np.float32(self.store.scale)
        return features


def load_splits(dataset: Path, features: Path, needed: Sequence[Split]) -> dict[Split, Examples]:
    """The examples of every split. Clips that have no features, given up on the way, are left out.

    Raises:
        BundleError: the features are those of another data set, or it contradicts itself.
        DataError: a needed split has no clips.
    """
    report, store = DatasetReport.open(dataset), FeatureStore(features)
    if report.data_hash != store.report.data_hash:
        raise BundleError(
            f"{features} holds the features of other clips than {dataset}: run the features step"
        )
    clips, known = read_clips(dataset), set(store.clip_ids)
    usable = [clip for clip in clips if clip.clip_id in known]
    if len(usable) < len(clips):
        emit("notice", message=f"{len(clips) - len(usable)} clips have no features and are left out")
    places = {label: place for place, label in enumerate(report.labels)}
    if {clip.label for clip in clips} != places.keys():
        raise BundleError(f"{dataset} names other classes than its clips have: run the dataset step again")
    splits: dict[Split, Examples] = {}
    for split in SPLITS:
        chosen = [clip for clip in usable if clip.split == split]
        truth = np.array([places[clip.label] for clip in chosen], dtype=np.int64)
        splits[split] = Examples(store, report.labels, tuple(clip.clip_id for clip in chosen), truth)
    for split in needed:
        if not splits[split].clip_ids:
            raise DataError(f"no clips with features in the {split} split: add clips or cut it otherwise")
    return splits
