"""Videos of clips in one folder, for a machine that sees nothing else of the data."""

from collections.abc import Collection
from pathlib import Path
from shutil import copyfile

from reelflow.artifacts.videos import find_videos, first_clips
from reelflow.contracts import DatasetReport
from reelflow.errors import DataError
from reelflow.settings import Settings
from reelflow.sources.fetch import bring_clips


def lay_out_videos(
    dataset: Path, clip_ids: Collection[str], most: int, folder: Path, settings: Settings
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
    report, clips = DatasetReport.open(dataset), first_clips(dataset, clip_ids, most)
    bring_clips(report, dataset, clips, settings)
    videos = find_videos(dataset, clip_ids, most, settings)
    if not videos:
        raise DataError(f"{report.source} has none of the test clips as they were: run the pipeline again")
    folder.mkdir(parents=True)
    for place, video in enumerate(videos.values()):
        copyfile(video, folder / f"{place:04}{video.suffix}")
