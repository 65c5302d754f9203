"""Parity between the scores of LiteRT and of Keras."""

import numpy as np
from numpy.typing import NDArray

from components.conversion.reference import Reference
from reelflow.contracts import Parity


def compare(reference: Reference, litert: NDArray[np.float32]) -> Parity:
    """Compare two sets of raw scores, probabilities `(clips, classes)` before the temperature."""
    keras, right = reference.scores, np.asarray(reference.truth)
    keras_top, litert_top = keras.argmax(axis=1), litert.argmax(axis=1)
    return Parity(
        clips=len(right),
        seen=reference.seen,
        agreement=float(np.mean(keras_top == litert_top)),
        max_score_difference=float(np.abs(keras - litert).max()),
        keras_accuracy=float(np.mean(keras_top == right)),
        litert_accuracy=float(np.mean(litert_top == right)),
    )
