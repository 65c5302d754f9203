"""The frames step: uniformly spread frames of every clip, as JPEG in tar shards."""

from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from components.frames.alike import find_alike
from components.frames.extract import Extracted, extract
from components.frames.shards import (
    assign_shards,
    fetch_shard,
    inputs_of,
    move_shard,
    part_of,
    share_shard,
    stored_shard,
    whole_shard,
)
from components.frames.write import Finished, write_shard
from reelflow.artifacts.clips import read_clips
from reelflow.artifacts.frames import KIND
from reelflow.artifacts.shard_files import ShardAccess
from reelflow.contracts import MAX_ALIKE, Clip, DatasetReport, FramesReport
from reelflow.errors import ClipError, DataError
from reelflow.objectstore.shards import SharedShards, shared_shards
from reelflow.params import FramesParams
from reelflow.progress import emit
from reelflow.progress import report as report_progress
from reelflow.settings import Settings
from reelflow.sources.fetch import bring_clips
from reelflow.workers.processes import in_processes


def run(
    params: FramesParams,
    *,
    dataset: Path,
    frames: Path,
    settings: Settings,
    part: str = "",
    access: ShardAccess | None = None,
) -> FramesReport:
    """Write the frames of every clip of a data set, or of a part of them.

    Finished shards are kept; shards of other runs and machines are fetched.

    Args:
        params: number of frames, and their encoding.
        dataset: folder of the dataset step.
        frames: the output; `frames.json` is written last.
        settings: for fetching clips that are not on this disk.
        part: `2/8` for the second eighth of the shards; all by default.
        access: how shards are shared, and whether they stay in the store.

    Raises:
        DataError: no clip can be decoded.
        BundleError: the folder of the data set is incomplete.
        StorageError: the disk is full or read-only.
    """
    source = DatasetReport.open(dataset)
    clips_of_all = read_clips(dataset)
    shards = part_of(assign_shards(clips_of_all, params.shards), part)
    bring = partial(bring_clips, source, dataset, settings=settings)
    access = access or ShardAccess()
    work = Extraction(params, bring, frames, shared_shards(access.store, KIND), access.stays)
    finished = _finish_shards(work, shards)
    quarantined = tuple(rejected for one in finished for rejected in one.quarantined)
    clips = sum(len(one.shard.clip_ids) for one in finished)
    if not clips and not part:
        raise DataError(
            f"no clip could be decoded; the first one: {quarantined[0].path}: {quarantined[0].reason}"
        )
    report = FramesReport(
        data_hash=source.data_hash,
        count=params.count,
        oversample=params.oversample,
        jpeg_quality=params.jpeg_quality,
        shards=tuple(one.shard for one in finished),
        quarantined=quarantined,
        metrics={
            "clips": clips,
            "frames": clips * params.count * params.oversample,
            "quarantined": len(quarantined),
            "shards": len(finished),
            "size_bytes": sum(one.shard.size_bytes for one in finished),
        },
        stored=access.stays,
    )
    if not part:
        looks = {clip_id: look for one in finished for clip_id, look in one.looks.items()}
        report = report.model_copy(update={"alike": find_alike(looks, clips_of_all)})
        _tell(report)
    report.save(frames)
    return report


def _tell(report: FramesReport) -> None:
    if report.alike:
        first, second = report.alike[0].paths
        least = "at least " if len(report.alike) >= MAX_ALIKE else ""
        emit(
            "notice",
            message=f"{least}{len(report.alike)} pair(s) of clips in different groups look the same, such "
            f"as {first} and {second}: give them one group in groups.csv",
        )


@dataclass(frozen=True)
class Extraction:
    """Inputs and output of an extraction; shards that stay in the store leave `frames`."""

    params: FramesParams
    bring: Callable[[list[Clip]], Path]
    frames: Path
    shared: SharedShards | None
    stays: bool


def _finish_shards(work: Extraction, shards: dict[str, list[Clip]]) -> list[Finished]:
    """Write the missing shards; returns all, in order."""
    found = {file: _find_shard(work, file, clips) for file, clips in shards.items()}
    missing = [clip for file, clips in shards.items() if found[file] is None for clip in clips]
    total = sum(len(clips) for clips in shards.values())
    with closing(_extract_all(work.params, missing, work.bring(missing), total)) as outcomes:
        return [
            found[file] or _make_shard(work, file, clips, islice(outcomes, len(clips)))
            for file, clips in shards.items()
        ]


def _find_shard(work: Extraction, file: str, clips: list[Clip]) -> Finished | None:
    """A shard that an earlier attempt, another run or another machine has finished."""
    finished = whole_shard(work.frames / file, clips)
    if finished is None and work.shared:
        find = stored_shard if work.stays else fetch_shard
        return find(work.frames / file, clips, inputs_of(file, clips, work.params), work.shared)
    if finished:
        _share(work, clips, finished)  # the earlier attempt may have been killed before it shared the shard
    return finished


def _make_shard(
    work: Extraction, file: str, clips: list[Clip], outcomes: Iterable[Extracted | ClipError]
) -> Finished:
    finished = write_shard(work.frames / file, clips, outcomes)
    _share(work, clips, finished)
    return finished


def _share(work: Extraction, clips: list[Clip], finished: Finished) -> None:
    """Move a shard to the store; or share it, if no clip is quarantined, which may decode elsewhere."""
    tar = work.frames / finished.shard.file
    if work.shared and work.stays:
        move_shard(tar, finished, inputs_of(tar.name, clips, work.params), work.shared)
    elif work.shared and not finished.quarantined:
        share_shard(tar, inputs_of(tar.name, clips, work.params), work.shared)


def _extract_all(
    params: FramesParams, clips: list[Clip], root: Path, total: int
) -> Generator[Extracted | ClipError, None, None]:
    """Extract frames, in the order of the clips; progress includes earlier attempts."""
    tasks = ((root / clip.path, clip, params) for clip in clips)
    done = total - len(clips)
    report_progress(done, total, "clips")
    for outcome in in_processes(extract, tasks, timeout_s=params.clip_timeout_s):
        done += 1
        report_progress(done, total, "clips")
        yield outcome
