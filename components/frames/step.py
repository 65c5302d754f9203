"""The frames step: uniformly spread frames of every clip, as JPEG in tar shards."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from components.frames.extract import Extracted, extract
from components.frames.shards import (
    assign_shards,
    describe_shard,
    fetch_shard,
    origin_of,
    part_of,
    share_shard,
    whole_shard,
    write_shard,
)
from reelflow.contracts import Clip, DatasetReport, FramesReport
from reelflow.errors import ClipError, DataError
from reelflow.params import FramesParams
from reelflow.progress import report as report_progress
from reelflow.stores.clips import read_clips
from reelflow.stores.frames import ShardIndex
from reelflow.stores.shared import SharedShards, default_shards
from reelflow.stores.sources import bring_clips
from reelflow.workers import in_processes

KIND = "frames"


def run(
    params: FramesParams, *, dataset: Path, frames: Path, part: str = "", shared: SharedShards | None = None
) -> FramesReport:
    """Write the frames of every clip of a data set, or of a part of them.

    Shards that are whole are kept, and those that other runs and machines share are taken over.

    Args:
        params: how many frames, and how they are kept.
        dataset: folder of the dataset step.
        frames: the output; `frames.json` comes last.
        part: `2/8` for the second eighth of the shards; all by default.
        shared: shards of other runs and machines; by default those in the store of the environment.

    Raises:
        DataError: no clip can be decoded.
        BundleError: the data set's folder is not whole.
        StorageError: the disk is full or read-only.
    """
    source = DatasetReport.open(dataset)
    shards = part_of(assign_shards(read_clips(dataset), params.shards), part)
    bring = partial(bring_clips, source, dataset)
    work = Work(params, bring, frames, shared or default_shards(KIND))
    indexes = _finish_shards(work, shards)
    quarantined = tuple(rejected for index in indexes.values() for rejected in index.quarantined)
    clips = sum(len(index.sizes) for index in indexes.values())
    if not clips and not part:
        raise DataError(f"no clip gave frames; the first one: {quarantined[0].path}: {quarantined[0].reason}")
    report = FramesReport(
        data_hash=source.data_hash,
        count=params.count,
        oversample=params.oversample,
        jpeg_quality=params.jpeg_quality,
        shards=tuple(describe_shard(file, index) for file, index in indexes.items()),
        quarantined=quarantined,
        metrics={
            "clips": clips,
            "frames": clips * params.count * params.oversample,
            "quarantined": len(quarantined),
            "shards": len(indexes),
            "size_bytes": sum(index.size_bytes for index in indexes.values()),
        },
    )
    report.save(frames)
    return report


@dataclass(frozen=True)
class Work:
    """How frames are kept, of which clips, where, and with whom they are shared."""

    params: FramesParams
    bring: Callable[[list[Clip]], Path]
    frames: Path
    shared: SharedShards | None


def _finish_shards(work: Work, shards: dict[str, list[Clip]]) -> dict[str, ShardIndex]:
    """The indexes of all shards, in order, after writing those that are missing."""
    found = {file: _find_shard(work, file, clips) for file, clips in shards.items()}
    missing = [clip for file, clips in shards.items() if found[file] is None for clip in clips]
    total = sum(len(clips) for clips in shards.values())
    with closing(_extract_all(work.params, missing, work.bring(missing), total)) as outcomes:
        return {
            file: found[file] or _make_shard(work, file, clips, islice(outcomes, len(clips)))
            for file, clips in shards.items()
        }


def _find_shard(work: Work, file: str, clips: list[Clip]) -> ShardIndex | None:
    """The index of a shard that an earlier attempt, another run or another machine has finished."""
    index = whole_shard(work.frames / file, clips)
    if index is None and work.shared:
        return fetch_shard(work.frames / file, clips, origin_of(file, clips, work.params), work.shared)
    if index:
        _share(work, file, clips, index)  # which the earlier attempt may not have lived to do
    return index


def _make_shard(
    work: Work, file: str, clips: list[Clip], outcomes: Iterable[Extracted | ClipError]
) -> ShardIndex:
    index = write_shard(work.frames / file, clips, outcomes)
    _share(work, file, clips, index)
    return index


def _share(work: Work, file: str, clips: list[Clip], index: ShardIndex) -> None:
    """Share a shard if all its clips are in it: elsewhere the others may be in order."""
    if work.shared and not index.quarantined:
        share_shard(work.frames / file, origin_of(file, clips, work.params), work.shared)


def _extract_all(
    params: FramesParams, clips: list[Clip], root: Path, total: int
) -> Generator[Extracted | ClipError, None, None]:
    """The outcomes in the clips' order; what earlier attempts did counts as done."""
    tasks = ((root / clip.path, clip, params) for clip in clips)
    done = total - len(clips)
    report_progress(done, total, "clips")
    for outcome in in_processes(extract, tasks, timeout_s=params.clip_timeout_s):
        done += 1
        report_progress(done, total, "clips")
        yield outcome
