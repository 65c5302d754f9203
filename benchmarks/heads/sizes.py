"""Heads of several sizes on the real sets, as a device runs them: by the product's conversion."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.heads.runner import milliseconds, scores_of
from benchmarks.heads.sets import ClipSet
from benchmarks.heads.tables import Trained
from benchmarks.heads.training import trained
from components.conversion.head import convert_head
from components.conversion.networks import _quiet
from reelflow.files import write_bytes
from reelflow.measures.intervals import group_interval
from reelflow.nets.saved import load_head
from reelflow.params import TrainingParams

ROUNDS = 60
RESAMPLES = 2000


def sizes(clips: ClipSet, training: Mapping[int, Sequence[TrainingParams]], out: Path) -> list[Trained]:
    """Train, convert and test heads; each clip is scored by a head that has not seen its group.

    Args:
        clips: a set.
        training: by units, one a seed.
        out: where heads are kept.
    """
    heads = {units: [heads_of(clips, params, out) for params in seeds] for units, seeds in training.items()}
    right = {units: np.stack([is_right(clips, each) for each in seeds]) for units, seeds in heads.items()}
    paths = {str(units): seeds[0][0] for units, seeds in heads.items()}
    ms = milliseconds(paths, clips.examples.features(clips.folds[0].test), ROUNDS)
    return [
        Trained(
            name=clips.name,
            units=units,
            clips=found.shape[1],
            right=tuple(found.sum(axis=1).tolist()),
            interval=group_interval(found[0], clips.examples.groups, resamples=RESAMPLES, seed=1),
            size_bytes=paths[str(units)].stat().st_size,
            clip_ms=ms[str(units)],
        )
        for units, found in right.items()
    ]


def heads_of(clips: ClipSet, params: TrainingParams, out: Path) -> list[Path]:
    """A `.tflite` file a fold, by the product's conversion."""
    paths = []
    for head in trained(clips, params, out):
        paths.append(head.with_suffix(".tflite"))
        if not paths[-1].exists():
            with _quiet():
                content = convert_head(load_head(head), "dynamic")
            write_bytes(paths[-1], content)
    return paths


def is_right(clips: ClipSet, heads: Sequence[Path]) -> NDArray[np.bool_]:
    """Whether each clip is classified correctly, `(clips,)`, by the head of the fold that tests it."""
    examples = clips.examples
    right = np.zeros(len(examples.clips), np.bool_)
    for fold, head in zip(clips.folds, heads, strict=True):
        found = scores_of(head, examples.features(fold.test)).argmax(axis=1)
        right[fold.test] = found == examples.truth[fold.test]
    return right
