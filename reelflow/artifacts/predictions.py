"""Scores of clips on disk: `.npy` beside the report that names them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from reelflow.contracts import Predictions
from reelflow.errors import BundleError
from reelflow.files import sha256_file, write_array

Scores = NDArray[np.float32]

ROUNDING = 1e-3  # of a probability


def write_predictions(
    folder: Path,
    name: str,
    scores: Scores,
    clip_ids: Sequence[str],
    truth: Sequence[int],
    folds: Sequence[int] | None = None,
) -> Predictions:
    """Write `<name>.npy`.

    Args:
        folder: of the step.
        name: of the scores.
        scores: probabilities `(clips, classes)`.
        clip_ids: the rows.
        truth: class index of each clip.
        folds: fold of each clip; 0 by default.

    Raises:
        StorageError: the disk is full or read-only.
    """
    path = folder / f"{name}.npy"
    write_array(path, scores.astype(np.float32))
    return Predictions(
        file=path.name,
        sha256=sha256_file(path),
        clip_ids=tuple(clip_ids),
        truth=tuple(map(int, truth)),
        folds=tuple(folds) if folds is not None else (0,) * len(clip_ids),
    )


def read_predictions(folder: Path, scored: Predictions, classes: int) -> Scores:
    """Read the scores that a report names, `(clips, classes) float32`.

    Raises:
        BundleError: the file is missing or altered, or does not hold probabilities.
    """
    path = folder / scored.file
    if path.parent != folder or not path.is_file() or sha256_file(path) != scored.sha256:
        raise BundleError(f"{path} is not the file that its report names: run the step again")
    try:
        with path.open("rb") as file:
            scores: Scores = read_array(file, allow_pickle=False)
    except (ValueError, EOFError, MemoryError) as error:
        raise BundleError(f"{path} is not a complete .npy file ({error}): run the step again") from error
    if scores.shape != (len(scored.clip_ids), classes) or scores.dtype != np.float32:
        raise BundleError(
            f"{path} is {scores.dtype} {scores.shape}, expected float32 {(len(scored.clip_ids), classes)}: "
            "run the step again"
        )
    if not ((scores >= 0) & (scores <= 1 + ROUNDING)).all():
        raise BundleError(f"{path} holds scores that are not probabilities: run the step again")
    return scores
