"""Parity between the scores of LiteRT and of Keras."""

import numpy as np
from numpy.typing import NDArray

from components.conversion.reference import Reference
from reelflow.contracts import Parity


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
