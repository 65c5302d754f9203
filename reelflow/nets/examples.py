"""Clips as a network sees them: batches of float32 features and class indices.

Folds are rows of the same `Examples`; what fits into memory is read once for all of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.features import Choice, Codes, FeatureStore, all_views
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import Clip, DatasetReport
from reelflow.errors import BundleError
from reelflow.progress import emit

MOST_BYTES = 1024**3  # of codes in memory; more stay in their files

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Examples:
    """All clips that have features; a row is a clip's place.

    Attributes:
        store: the features.
        labels: the classes' names; a name's place is its class index.
        clips: by row, those of every split.
        truth: class index a row, `(rows,) int64`.
        codes: `(rows, views, frames, dim)`, or None if they are too many for memory.
        beside: all views of a clip are concatenated.
    """

    store: FeatureStore
    labels: tuple[str, ...]
    clips: tuple[Clip, ...]
    truth: Rows
    codes: Codes | None
    beside: bool = False

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the views of each clip, the plain one first; only that one if all are concatenated."""
        return self.store.report.views[:1] if self.beside else self.store.report.views

    @property
    def groups(self) -> tuple[str, ...]:
        """Group a row."""
        return tuple(clip.group for clip in self.clips)

    def rows_of(self, clips: Sequence[Clip]) -> Rows:
        """The rows of those clips that have features, in the order given."""
        places = {clip.clip_id: row for row, clip in enumerate(self.clips)}
        return np.array([places[clip.clip_id] for clip in clips if clip.clip_id in places], np.int64)

    def ids_of(self, rows: Rows) -> tuple[str, ...]:
        """The clip ids of some rows."""
        return tuple(self.clips[row].clip_id for row in rows)

    def features(self, rows: Rows, views: Rows | int = 0) -> NDArray[np.float32]:
        """Features of some rows, `(n, frames, dim) float32`; concatenated views are one wide feature.

        Args:
            rows: the clips; repeats are allowed.
            views: index of the view, one for all or one per row.
        """
        if self.beside:
            every = [self._codes_of(rows, view) for view in range(len(self.store.report.views))]
            codes: NDArray[np.generic] = np.concatenate(every, axis=-1)
        else:
            codes = self._codes_of(rows, views)
        features: NDArray[np.float32] = np.multiply(codes, np.float32(self.store.scale), dtype=np.float32)
        return features

    def _codes_of(self, rows: Rows, views: Rows | int) -> Codes:
        """Codes `(n, frames, dim)` with one view per row."""
        if self.codes is not None:
            codes: Codes = self.codes[rows, views]
            return codes
        each = np.broadcast_to(np.asarray(views), rows.shape)
        return self.store.gather(self.ids_of(rows), each.tolist())


def batches(rows: Rows, size: int) -> list[Rows]:
    """Cut into evenly filled batches of at most `size`.

    Batches have equal sizes: batch norm cannot learn from a last batch of one clip.
    """
    return np.array_split(rows, math.ceil(len(rows) / size)) if len(rows) else []


def load_examples(
    dataset: Path,
    features: Path,
    most_bytes: int = MOST_BYTES,
    seen: Choice = all_views,
    access: ShardAccess | None = None,
) -> tuple[Examples, list[Clip]]:
    """The examples, and all clips of the data set: also those without features, which were quarantined.

    Args:
        dataset: folder of the dataset step.
        features: folder of the features step.
        most_bytes: of codes in memory.
        seen: chooses some of the views, the plain one first.
        access: how features in a store are reached.

    Raises:
        BundleError: the features are those of another data set, or it contradicts itself.
    """
    report, store = DatasetReport.open(dataset), FeatureStore(features, seen, access)
    if report.data_hash != store.report.data_hash:
        raise BundleError(
            f"{features} holds the features of other clips than {dataset}: run the features step"
        )
    clips, known = read_clips(dataset), set(store.clip_ids)
    usable = tuple(clip for clip in clips if clip.clip_id in known)
    if len(usable) < len(clips):
        emit("notice", message=f"{len(clips) - len(usable)} clips have no features and are left out")
    places = {label: place for place, label in enumerate(report.labels)}
    if {clip.label for clip in clips} != places.keys():
        raise BundleError(f"{dataset} names other classes than its clips have: run the dataset step again")
    truth = np.array([places[clip.label] for clip in usable], np.int64)
    return Examples(store, report.labels, usable, truth, _codes(store, usable, most_bytes)), clips


def _codes(store: FeatureStore, clips: Sequence[Clip], most_bytes: int) -> Codes | None:
    """Everything in memory, `(clips, views, frames, dim)`, or None."""
    found = store.report
    shape = (len(clips), len(found.views), found.frames, found.backbone.dim)
    if math.prod(shape) * np.dtype(found.backbone.dtype).itemsize > most_bytes:
        return None
    codes: Codes = np.empty(shape, found.backbone.dtype)
    ids = [clip.clip_id for clip in clips]
    for view in range(len(found.views)):
        codes[:, view] = store.gather(ids, [view] * len(ids))
    return codes
