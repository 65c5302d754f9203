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
SKETCH = 31  # dimensions; on 10,000 pieces of real clips 1.3 times the pairs pass that agree
ROUNDING = 1e-3
DENSE = 256  # of so many pairs one: then all products take no longer than those of single pairs

Vectors = NDArray[np.float32]
HalfVectors = NDArray[np.float16]
Mask = NDArray[np.bool_]


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


def _vectors(looks: Mapping[str, str], clips: Sequence[Clip]) -> tuple[list[Clip], Vectors, HalfVectors]:
    """The clips that have something to compare, what stays `(clips, pixels)` and what moves in each."""
    told: list[Clip] = []
    scenes = np.empty((len(clips), HEIGHT * WIDTH), np.float32)
    motions = np.empty((len(clips), FRAMES * HEIGHT * WIDTH), np.float16)
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


def _pairs(scenes: Vectors, motions: HalfVectors) -> Iterator[tuple[int, int]]:
    """Places of clips that agree in both, each pair once; they are compared where their sketches allow it."""
    sketches = _sketches(scenes)
    starts = range(0, len(scenes), BLOCK)
    for top, left in ((top, left) for top in starts for left in starts if left >= top):
        ones, others = slice(top, top + BLOCK), slice(left, left + BLOCK)
        may = sketches[ones] @ sketches[others].T > SAME_SCENE - ROUNDING
        agree = _agreeing(may, scenes[ones], scenes[others], SAME_SCENE)
        agree = _agreeing(agree, motions[ones], motions[others], SAME_MOTION)
        for row, column in zip(*np.divmod(np.flatnonzero(agree), agree.shape[1]), strict=True):
            if top + row < left + column:
                yield int(top + row), int(left + column)


def _sketches(vectors: Vectors) -> Vectors:
    """Short vectors whose products are never below those of the unit vectors, `(n, SKETCH + 1)`.

    They are the first principal components, and the length of the rest: by Cauchy and Schwarz the rests of
    two vectors have no larger product than their lengths have.
    """
    _, axes = np.linalg.eigh(vectors.T @ vectors)
    short = vectors @ axes[:, -SKETCH:]
    rest = np.sqrt(np.maximum(0, 1 - (short**2).sum(axis=1)))
    return np.column_stack([short, rest])


def _agreeing(may: Mask, ones: Vectors | HalfVectors, others: Vectors | HalfVectors, least: float) -> Mask:
    """Where products are above a limit, of the pairs `(ones, others)` that may agree."""
    if np.count_nonzero(may) * DENSE > may.size:
        every: Mask = ones.astype(np.float32) @ others.astype(np.float32).T > least
        return may & every
    places, agreeing = np.flatnonzero(may), np.zeros_like(may)
    rows, columns = np.divmod(places, len(others))
    products = np.einsum("ij,ij->i", ones[rows], others[columns], dtype=np.float32)
    agreeing.ravel()[places[products > least]] = True
    return agreeing
