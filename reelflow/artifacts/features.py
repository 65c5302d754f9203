"""Features of clips: codes in `.npy` shards, memory-mapped, gathered in any order."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import FeatureShard, FeaturesReport
from reelflow.errors import BundleError
from reelflow.files import sha256_file

KIND = "features"
REMEDY = "remove its folder and run the features step again"
Codes = NDArray[np.uint8] | NDArray[np.float16]
Choice = Callable[[FeaturesReport], tuple[str, ...]]


def all_views(report: FeaturesReport) -> tuple[str, ...]:
    """Every view of the features."""
    return report.views


class FeatureStore:
    """Reads the folder that the features step wrote. Several threads may read at once."""

    def __init__(self, folder: Path, seen: Choice = all_views, access: ShardAccess | None = None) -> None:
        """Open the store. Shards beside the report are mapped at once, those in a store when they are read.

        Args:
            folder: of the features step.
            seen: chooses some of the views, the plain one first; those left out are not read.
            access: how shards in a store are reached.

        Raises:
            BundleError: a shard is missing, or does not match the report.
            StorageError: the shards are in a store that is not named.
        """
        report = FeaturesReport.open(folder)
        by_view = dict(zip(report.views, _parts_of_views(folder, report), strict=True))
        views = seen(report)
        parts = [by_view[view] for view in views]
        self.report = report.model_copy(update={"views": views, "shards": tuple(chain(*parts))})
        self._folder, self._parts = folder, parts
        self._files = (access or ShardAccess()).files(folder, KIND, stored=report.stored)
        self._mapped: dict[tuple[int, int], Codes] = {}
        if not report.stored:
            for view, part in enumerate(parts):
                self._mapped |= {(view, number): self._map(view, number) for number in range(len(part))}
        self._place = {
            clip_id: (number, row)
            for number, shard in enumerate(parts[0])
            for row, clip_id in enumerate(shard.clip_ids)
        }

    @property
    def clip_ids(self) -> tuple[str, ...]:
        """Every clip, shard by shard."""
        return tuple(self._place)

    @property
    def views(self) -> tuple[str, ...]:
        """The views of every clip; the first is the plain one."""
        return self.report.views

    @property
    def scale(self) -> float:
        """A feature, float32, is its code times this."""
        return self.report.backbone.scale

    def gather(
        self, clip_ids: Sequence[str], views: Sequence[int] | NDArray[np.integer] | None = None
    ) -> Codes:
        """Read the codes of clips, in the order asked for; only the views asked for are read.

        Args:
            clip_ids: the clips.
            views: index into `self.views` for each clip; the plain view by default.

        Returns:
            `(clips, frames, dim)`, uint8 or float16 as stored.

        Raises:
            BundleError: the features of a clip are not here.
            ValueError: `views` has no valid index for each clip.
        """
        self._check_clips(clip_ids)
        wanted = np.zeros(len(clip_ids), np.intp) if views is None else np.asarray(views, np.intp)
        if len(wanted) != len(clip_ids) or not np.isin(wanted, range(len(self.views))).all():
            raise ValueError(f"views must hold an index into {self.views} for each clip, got {views}")
        spec = self.report.backbone
        codes: Codes = np.empty((len(clip_ids), self.report.frames, spec.dim), spec.dtype)
        places = np.array([self._place[clip_id] for clip_id in clip_ids], np.intp).reshape(-1, 2)
        sources = wanted * len(self._parts[0]) + places[:, 0]
        for source in np.unique(sources):
            here = sources == source
            view, number = divmod(int(source), len(self._parts[0]))
            shard = self._mapped.get((view, number))
            codes[here] = (self._map(view, number) if shard is None else shard)[places[here, 1]]
        return codes

    def _map(self, view: int, number: int) -> Codes:
        """Map a shard; one of a store is fetched unless it is here, and may go again."""
        shard = self._parts[view][number]
        return self._files.load(shard.file, shard.sha256, partial(map_shard, shard, self.report))

    def _check_clips(self, clip_ids: Sequence[str]) -> None:
        missing = [clip_id for clip_id in clip_ids if clip_id not in self._place]
        if missing:
            raise BundleError(
                f"{self._folder} holds no features of {len(missing)} clip(s), the first is {missing[0]}: "
                "run the features step again"
            )


def _parts_of_views(folder: Path, report: FeaturesReport) -> list[list[FeatureShard]]:
    """The shards of each view; every view has the same clips in the same places."""
    parts = [[shard for shard in report.shards if shard.view == view] for view in report.views]
    clips = [[shard.clip_ids for shard in part] for part in parts]
    if not parts or sum(map(len, parts)) != len(report.shards) or any(part != clips[0] for part in clips):
        raise BundleError(
            f"{folder / report.file_name} must name one shard per view of the same clips, "
            f"views {', '.join(report.views)}: run the features step again"
        )
    return parts


def map_shard(shard: FeatureShard, report: FeaturesReport, path: Path) -> Codes:
    """Memory-map one shard, `(clips, frames, dim)`.

    Raises:
        BundleError: it is altered, or does not match the report.
    """
    try:
        codes: Codes = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BundleError(f"{path} is not a complete .npy file ({error}): {REMEDY}") from error
    expected = (len(shard.clip_ids), report.frames, report.backbone.dim)
    if codes.shape != expected or codes.dtype != report.backbone.dtype:
        raise BundleError(
            f"{path} is {codes.dtype} {codes.shape}, expected {report.backbone.dtype} {expected}: {REMEDY}"
        )
    if not report.stored and sha256_file(path) != shard.sha256:
        raise BundleError(f"{path} has been altered since it was written: {REMEDY}")
    return codes
