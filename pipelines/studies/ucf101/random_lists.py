"""The lists of the random cut: the same clips as the official lists, and as many of each class to test."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from reelflow.contracts import Clip
from reelflow.files import sha256_text, write_text

LETTERS = 12


def draw_test_clips(clips: Sequence[Clip], seed: int) -> set[str]:
    """Paths of the clips to test: of each class as many as are tested now, drawn clip by clip."""
    drawn: set[str] = set()
    for label in sorted({clip.label for clip in clips}):
        own = sorted((clip for clip in clips if clip.label == label), key=lambda clip: clip.path)
        tested = sum(clip.split == "test" for clip in own)
        chance = Random(f"{seed} {label}")  # noqa: S311
        drawn |= {clip.path for clip in chance.sample(own, tested)}
    return drawn


def write_lists(clips: Sequence[Clip], seed: int, folder: Path) -> Mapping[str, str]:
    """Write a train and a test list for a random cut of these clips.

    The data set step knows lists by their paths alone, so the path holds the hash of what is listed.

    Args:
        clips: the clips of the official cut.
        seed: of the draw.
        folder: where lists are kept.

    Returns:
        The paths of the lists, `train` and `test`.

    Raises:
        StorageError: the disk is full or read-only.
    """
    tested = draw_test_clips(clips, seed)
    paths = sorted(clip.path for clip in clips)
    lists = {
        "train": "".join(f"{path}\n" for path in paths if path not in tested),
        "test": "".join(f"{path}\n" for path in paths if path in tested),
    }
    place = folder.absolute() / sha256_text("\n\n".join(lists.values()))[:LETTERS]
    files = {name: place / f"{name}list.txt" for name in lists}
    for name, content in lists.items():
        write_text(files[name], content)
    return {name: str(file) for name, file in files.items()}
