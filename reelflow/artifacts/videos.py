"""Finds the videos of clips on this machine."""

from collections.abc import Iterable
from pathlib import Path

from reelflow.artifacts.clips import read_clips
from reelflow.contracts import Clip, DatasetReport
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.sources.cache import ClipCache, SourceNote


def find_videos(dataset: Path, clip_ids: Iterable[str], most: int, settings: Settings) -> dict[str, Path]:
    """The unchanged videos, on this machine, of the first clips by id; nothing is fetched.

    Args:
        dataset: folder of the dataset step.
        clip_ids: of the clips.
        most: clips that are looked for.
        settings: name the cache of clips.
    """
    clips = first_clips(dataset, clip_ids, most)
    source = DatasetReport.open(dataset)
    fetched = ClipCache(settings.clips).find(SourceNote.on(source), [clip.path for clip in clips])
    root = fetched or source.clips_root(dataset)
    return {clip.clip_id: root / clip.path for clip in clips if _is_there(root / clip.path, clip)}


def first_clips(dataset: Path, clip_ids: Iterable[str], most: int) -> list[Clip]:
    """The first of these clips by id, in the order of the data set."""
    wanted = set(sorted(clip_ids)[:most])
    return [clip for clip in read_clips(dataset) if clip.clip_id in wanted]


def _is_there(path: Path, clip: Clip) -> bool:
    try:
        return path.stat().st_size == clip.size_bytes and sha256_file(path) == clip.sha256
    except OSError:
        return False
