"""Clips of different groups that show the same: copies in another encoding, size or brightness.

Two clips are alike if both what stays (the mean over time) and what moves (the rest) agree: clips of one
fixed camera agree in what stays alone.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from components.frames.look import FRAMES, HEIGHT, WIDTH, read_look
from reelflow.contracts import MAX_ALIKE, Alike, Clip, Split

SAME_SCENE, SAME_MOTION = 0.95, 0.8  # correlations; other real clips reach 0.93 and 0.56, copies 0.99
LEAST_CONTRAST, LEAST_MOTION = 4.0, 1.0  # grey levels, root mean square; below, nothing can be told
BLOCK = 2048

Vectors = NDArray[np.float32]


def find_alike(looks: Mapping[str, str], clips: Sequence[Clip]) -> tuple[Alike, ...]:
    """Pairs of clips of different groups that look the same, by their splits.

    Of each two splits at most `MAX_ALIKE`: a few suffice to see what is wrong, and the number of pairs can
    grow as the square of that of the clips.

    Args:
        looks: what clips look like, by id, as `write_look` writes it.
        clips: those to compare; ones that are not among the looks are left out.
    """
    told, scenes, motions = _vectors(looks, [clip for clip in clips if clip.clip_id in looks])
    found: dict[frozenset[Split], list[Alike]] = defaultdict(list)
    for one, other in ((told[one], told[other]) for one, other in _pairs(scenes, motions)):
        kept = found[frozenset({one.split, other.split})]
        if one.group != other.group and len(kept) < MAX_ALIKE:
            kept.append(Alike(paths=(one.path, other.path), splits=(one.split, other.split)))
    return tuple(chain(*found.values()))


def _vectors(looks: Mapping[str, str], clips: Sequence[Clip]) -> tuple[list[Clip], Vectors, Vectors]:
    """The clips that have something to compare, what stays `(clips, pixels)` and what moves in each."""
    told: list[Clip] = []
    scenes = np.empty((len(clips), HEIGHT * WIDTH), np.float32)
    motions = np.empty((len(clips), FRAMES * HEIGHT * WIDTH), np.float32)
    for clip in clips:
        pictures = read_look(looks[clip.clip_id]).astype(np.float32)
        mean = pictures.mean(axis=0)
        motion = pictures - mean
        # not a plain surface, not a still picture
        if float(mean.std()) >= LEAST_CONTRAST and float(np.sqrt((motion**2).mean())) >= LEAST_MOTION:
            scenes[len(told)], motions[len(told)] = _unit(mean), _unit(motion.ravel())
            told.append(clip)
    return told, scenes[: len(told)], motions[: len(told)]


def _unit(vector: Vectors) -> Vectors:
    """Centred, of length 1: products of two are correlations."""
    centred = vector - vector.mean()
    unit: Vectors = centred / np.linalg.norm(centred)
    return unit


def _pairs(scenes: Vectors, motions: Vectors) -> Iterator[tuple[int, int]]:
    """Places of clips that agree in both, each pair once; motions are compared where scenes agree."""
    starts = range(0, len(scenes), BLOCK)
    for top, left in ((top, left) for top in starts for left in starts if left >= top):
        agree = scenes[top : top + BLOCK] @ scenes[left : left + BLOCK].T > SAME_SCENE
        rows, columns = np.flatnonzero(agree.any(axis=1)), np.flatnonzero(agree.any(axis=0))
        same = motions[top + rows] @ motions[left + columns].T > SAME_MOTION
        for row, column in np.argwhere(same & agree[np.ix_(rows, columns)]):
            one, other = top + rows[row], left + columns[column]
            if one < other:
                yield int(one), int(other)
