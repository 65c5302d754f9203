"""Finds the videos of clips on this machine, or brings them here."""

from collections.abc import Iterable
from pathlib import Path
from shutil import copyfile

from reelflow.artifacts.clips import read_clips
from reelflow.contracts import Clip, DatasetReport
from reelflow.errors import DataError
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.sources.cache import ClipCache, SourceNote
from reelflow.sources.fetch import bring_clips


def find_videos(dataset: Path, clip_ids: Iterable[str], most: int, settings: Settings) -> dict[str, Path]:
    """The unchanged videos, on this machine, of the first clips by id; nothing is fetched.

    Args:
        dataset: folder of the dataset step.
        clip_ids: of the clips.
        most: clips that are looked for.
        settings: name the cache of clips.
    """
    clips = _first(dataset, clip_ids, most)
    source = DatasetReport.open(dataset)
    fetched = ClipCache(settings.clips).find(SourceNote.on(source), [clip.path for clip in clips])
    root = fetched or source.clips_root(dataset)
    return {clip.clip_id: root / clip.path for clip in clips if _is_there(root / clip.path, clip)}


def lay_out_videos(
    dataset: Path, clip_ids: Iterable[str], most: int, folder: Path, settings: Settings
) -> None:
    """Copy the unchanged videos of the first clips by id to a folder, in their order; fetched if need be.

    Args:
        dataset: folder of the dataset step.
        clip_ids: of the clips.
        most: clips that are copied.
        folder: to write; the names are numbers.
        settings: name the cache of clips, and the server of `s3://`.

    Raises:
        ReelflowError: the clips have changed, or cannot be fetched.
    """
    report, clips = DatasetReport.open(dataset), _first(dataset, clip_ids, most)
    bring_clips(report, dataset, clips, settings)
    videos = find_videos(dataset, clip_ids, most, settings)
    if not videos:
        raise DataError(f"{report.source} has none of the test clips as they were: run the pipeline again")
    folder.mkdir(parents=True)
    for place, video in enumerate(videos.values()):
        copyfile(video, folder / f"{place:04}{video.suffix}")


def _first(dataset: Path, clip_ids: Iterable[str], most: int) -> list[Clip]:
    wanted = set(sorted(clip_ids)[:most])
    return [clip for clip in read_clips(dataset) if clip.clip_id in wanted]


def _is_there(path: Path, clip: Clip) -> bool:
    try:
        return path.stat().st_size == clip.size_bytes and sha256_file(path) == clip.sha256
    except OSError:
        return False
