"""The result for a clip: an answer, or the reason of a failure."""

from pathlib import Path

from reelflow.edge.classifier import Classification, Classifier
from reelflow.errors import ClipError

Outcome = Classification | ClipError


def outcome_of(classifier: Classifier, clip: Path) -> Outcome:
    """Classify a clip; one that cannot be decoded is an outcome too."""
    try:
        return classifier.classify(clip)
    except ClipError as error:
        return error
