"""A classifier against one that always answers the most frequent class: the least that it must beat."""

import numpy as np

from reelflow.artifacts.evaluations import Candidate
from reelflow.measures.comparison import Paired, compare

RESAMPLES, SEED = 10_000, 1


def above_chance(chosen: Candidate) -> Paired:
    """The classifier against the most frequent class, on the same test clips.

    Raises:
        BundleError: the scores are damaged.
    """
    truth = np.array(chosen.report.truth)  # (test clips,)
    frequent = np.bincount(truth).argmax()
    right = chosen.scores().argmax(axis=1) == truth
    return compare(right, truth == frequent, chosen.report.groups, resamples=RESAMPLES, seed=SEED)
