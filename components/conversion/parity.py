"""Parity between the scores of LiteRT and of Keras."""

from collections.abc import Callable, Container, Sequence

import numpy as np
from numpy.typing import NDArray

from components.conversion.reference import Reference
from reelflow.contracts import Parity

ScoreClips = Callable[[Sequence[str]], NDArray[np.float32]]
FEW_SEEN = 25


def measure_parity(reference: Reference, score: ScoreClips, videos: Container[str]) -> Parity:
    """Compare LiteRT with Keras on the clips that this takes.

    Of clips that the model was trained on the first `FEW_SEEN` suffice if both agree on each of them: at a
    true agreement of 0.95 that is as rare as one difference at most among 50 (28 %). Else all are compared.

    Args:
        reference: clips, and their scores by Keras.
        score: gives the scores of clips by LiteRT.
        videos: clips whose frames LiteRT gets from the video.
    """
    first = reference.part(0, FEW_SEEN) if reference.seen else reference
    found = score(first.clip_ids)
    parity = compare(first, found, videos=_count(first, videos))
    rest = reference.part(len(first.clip_ids), None)
    if parity.agreement == 1 or not rest.clip_ids:
        return parity
    found = np.concatenate([found, score(rest.clip_ids)])
    return compare(reference, found, videos=_count(reference, videos))


def _count(reference: Reference, videos: Container[str]) -> int:
    return sum(clip_id in videos for clip_id in reference.clip_ids)


def compare(reference: Reference, litert: NDArray[np.float32], *, videos: int) -> Parity:
    """Compare two sets of raw scores, probabilities `(clips, classes)` before the temperature.

    Args:
        reference: clips, and their scores by Keras.
        litert: scores of the same clips by LiteRT.
        videos: of how many clips LiteRT's frames were decoded from the video.
    """
    keras, right = reference.scores, np.asarray(reference.truth)
    keras_top, litert_top = keras.argmax(axis=1), litert.argmax(axis=1)
    return Parity(
        clips=len(right),
        seen=reference.seen,
        videos=videos,
        agreement=float(np.mean(keras_top == litert_top)),
        max_score_difference=float(np.abs(keras - litert).max()),
        keras_accuracy=float(np.mean(keras_top == right)),
        litert_accuracy=float(np.mean(litert_top == right)),
    )
