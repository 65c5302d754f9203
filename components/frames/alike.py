"""Clips of different groups that show the same: copies in another encoding, size or brightness.

Two clips are alike if both what stays (the mean over time) and what moves (the rest) agree: clips of one
fixed camera agree in what stays alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from components.frames.look import read_look
from reelflow.contracts import MAX_ALIKE, Alike, Clip, Split

SAME_SCENE, SAME_MOTION = 0.95, 0.8  # correlations; other real clips reach 0.93 and 0.56, copies 0.99
LEAST_CONTRAST, LEAST_MOTION = 4.0, 1.0  # grey levels, root mean square; below, nothing can be told
BLOCK = 1024

Vectors = NDArray[np.float32]


def find_alike(looks: Mapping[str, str], clips: Sequence[Clip]) -> tuple[Alike, ...]:
    """Pairs of clips of different groups that look the same, by their splits.

    Of each two splits at most `MAX_ALIKE`: a few suffice to see what is wrong, and the number of pairs can
    grow as the square of that of the clips.

    Args:
        looks: what clips look like, by id, as `write_look` writes it.
        clips: those to compare; ones that are not among the looks are left out.
    """
    known = [clip for clip in clips if clip.clip_id in looks]
    seen = [(clip, read_look(looks[clip.clip_id]).astype(np.float32)) for clip in known]
    told = [(clip, pictures) for clip, pictures in seen if _tells(pictures)]
    if not told:
        return ()
    stack = np.stack([pictures for _, pictures in told])  # (clips, FRAMES, pixels)
    pairs = _pairs(_unit(stack.mean(axis=1)), _unit(stack - stack.mean(axis=1, keepdims=True)))
    found: dict[frozenset[Split], list[Alike]] = defaultdict(list)
    for one, other in ((told[one][0], told[other][0]) for one, other in pairs):
        kept = found[frozenset({one.split, other.split})]
        if one.group != other.group and len(kept) < MAX_ALIKE:
            kept.append(Alike(paths=(one.path, other.path), splits=(one.split, other.split)))
    return tuple(chain(*found.values()))


def _tells(pictures: Vectors) -> bool:
    """Whether there is anything to compare: not a plain surface, not a still picture."""
    mean = pictures.mean(axis=0)
    motion = float(np.sqrt(((pictures - mean) ** 2).mean()))
    return float(mean.std()) >= LEAST_CONTRAST and motion >= LEAST_MOTION


def _unit(vectors: Vectors) -> Vectors:
    """Centred rows of length 1, `(clips, k)`: products of two are correlations."""
    flat = vectors.reshape(len(vectors), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: Vectors = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return unit


def _pairs(scenes: Vectors, motions: Vectors) -> Iterator[tuple[int, int]]:
    """Places of clips that agree in both, each pair once."""
    for start in range(0, len(scenes), BLOCK):
        rows = slice(start, start + BLOCK)
        agree = (scenes[rows] @ scenes.T > SAME_SCENE) & (motions[rows] @ motions.T > SAME_MOTION)
        for one, other in np.argwhere(agree):
            if start + one < other:
                yield int(start + one), int(other)
