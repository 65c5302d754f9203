"""The data set at a glance, as papers print it: a table of properties and a chart of clips per class."""

import statistics
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from reelflow.contracts import SPLITS, Clip
from reelflow.files import atomic, write_csv

EDGES_S = (1, 2, 3, 5, 7, 10, 15, 20, 30, 60)
MAX_NAME = 40


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


def draw_clips_per_class(clips: Sequence[Clip], path: Path) -> None:
    """Draw a bar a class, its clips stacked by duration; as tall as the classes need.

    Raises:
        StorageError: the disk is full or read-only.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    labels = sorted({clip.label for clip in clips})
    bins = _bins(clips)
    figure = Figure(figsize=(9, 1.6 + 0.2 * len(labels)), dpi=110, layout="constrained")
    axes = figure.subplots()
    left = [0] * len(labels)
    for place, (name, counts) in enumerate(bins.items()):
        widths = [counts[label] for label in labels]
        color = colormaps["viridis"](0.95 - 0.9 * place / max(1, len(bins) - 1))
        axes.barh(range(len(labels)), widths, left=left, color=color, label=name, height=0.8)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    names = [label if len(label) <= MAX_NAME else label[: MAX_NAME - 1] + "…" for label in labels]
    axes.set_yticks(range(len(labels)), names, fontsize=8, parse_math=False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlabel("clips")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(title="duration", loc="outside right upper", fontsize=8, frameon=False)
    with atomic(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(partial, format="png")


def _bins(clips: Sequence[Clip]) -> dict[str, Counter[str]]:
    """Clips of each class by range of duration, shortest first; empty ranges are left out."""
    bins: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for clip in clips:
        bins[sum(clip.duration_s >= edge for edge in EDGES_S)][clip.label] += 1
    return {_bin_name(place): bins[place] for place in sorted(bins)}


def _bin_name(place: int) -> str:
    if place == 0:
        return f"under {EDGES_S[0]} s"
    if place == len(EDGES_S):
        return f"{EDGES_S[-1]} s and more"
    return f"{EDGES_S[place - 1]} to {EDGES_S[place]} s"
