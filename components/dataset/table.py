"""The data set at a glance, as papers print it: a table of properties."""

import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from reelflow.contracts import SPLITS, Clip
from reelflow.files import write_csv


def write_table(clips: Sequence[Clip], path: Path) -> None:
    """Write `property,value` rows.

    Raises:
        StorageError: the disk is full or read-only.
    """
    write_csv(path, ("property", "value"), table_rows(clips))


def table_rows(clips: Sequence[Clip]) -> list[tuple[str, str]]:
    """Properties of the data set, in words."""
    durations_s = [clip.duration_s for clip in clips]
    with_audio = [clip for clip in clips if clip.has_audio]
    splits = Counter(clip.split for clip in clips)
    clips_a_group = Counter((clip.label, clip.group) for clip in clips).values()
    return [
        ("classes", f"{len({clip.label for clip in clips})}"),
        ("clips", f"{len(clips)}"),
        *((f"{split} clips", f"{splits[split]}") for split in SPLITS),
        ("groups", f"{len({clip.group for clip in clips})}"),
        ("clips of a class in a group", _range([float(count) for count in clips_a_group], "")),
        ("mean duration", f"{statistics.fmean(durations_s):.2f} s"),
        ("total duration", f"{sum(durations_s):.0f} s"),
        ("min duration", f"{min(durations_s):.2f} s"),
        ("max duration", f"{max(durations_s):.2f} s"),
        ("frame rate", _range([clip.fps for clip in clips], "fps")),
        ("resolution", _resolutions(clips)),
        ("audio", f"{len(with_audio)} clips in {len({clip.label for clip in with_audio})} classes"),
    ]


def _range(values: Sequence[float], unit: str) -> str:
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return (low if low == high else f"{low} to {high}") + f" {unit}".rstrip()


def _resolutions(clips: Sequence[Clip]) -> str:
    sizes = sorted({(clip.width, clip.height) for clip in clips}, key=lambda size: size[0] * size[1])
    small, large = (f"{width}x{height}" for width, height in (sizes[0], sizes[-1]))
    return small if len(sizes) == 1 else f"{len(sizes)} sizes, {small} to {large}"
