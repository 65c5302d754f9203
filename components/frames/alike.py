"""Clips of different groups that show the same: copies in another encoding, size or brightness.

A few frames of a clip, as small grey pictures, are its signature. Two clips are alike if both what stays (the
mean over time) and what moves (the rest) agree: clips of one fixed camera agree in what stays alone.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.artifacts.frames import FrameStore
from reelflow.contracts import Alike, Clip
from reelflow.workers.cpus import granted_cpus

FRAMES, WIDTH, HEIGHT = 5, 24, 18
SAME_SCENE, SAME_MOTION = 0.95, 0.8  # correlations; other real clips reach 0.93 and 0.56, copies 0.99
LEAST_CONTRAST, LEAST_MOTION = 4.0, 1.0  # grey levels, root mean square; below, nothing can be told
BLOCK = 1024

Vectors = NDArray[np.float32]


def find_alike(store: FrameStore, clips: Sequence[Clip]) -> tuple[Alike, ...]:
    """Pairs of clips of different groups that look the same, in the order of the clips.

    Args:
        store: the frames.
        clips: those to compare; ones without frames are left out.

    Raises:
        BundleError: the frames are damaged.
    """
    known = [clip for clip in clips if clip.clip_id in store]
    with ThreadPoolExecutor(granted_cpus()) as pool:
        small = list(pool.map(lambda clip: _signature(store, clip.clip_id), known))
    told = [(clip, vector) for clip, vector in zip(known, small, strict=True) if _tells(vector)]
    if not told:
        return ()
    stack = np.stack([vector for _, vector in told])  # (clips, FRAMES, pixels)
    pairs = _pairs(_unit(stack.mean(axis=1)), _unit(stack - stack.mean(axis=1, keepdims=True)))
    named = ((told[one][0], told[other][0]) for one, other in pairs)
    return tuple(
        Alike(paths=(one.path, other.path), splits=(one.split, other.split))
        for one, other in named
        if one.group != other.group
    )


def _signature(store: FrameStore, clip_id: str) -> Vectors:
    """Small grey pictures, `(FRAMES, pixels) float32`."""
    rows = [_small(frame) for frame in store.each(clip_id, count=min(FRAMES, store.report.count))]
    return np.stack([rows[place * len(rows) // FRAMES] for place in range(FRAMES)])


def _small(frame: NDArray[np.uint8]) -> Vectors:
    picture = Image.fromarray(frame).convert("L").resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return np.asarray(picture, np.float32).ravel()


def _tells(signature: Vectors) -> bool:
    """Whether there is anything to compare: not a plain surface, not a still picture."""
    mean = signature.mean(axis=0)
    motion = float(np.sqrt(((signature - mean) ** 2).mean()))
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
