"""A classifier against one that always answers the most frequent class: the least that it must beat."""

import numpy as np

from reelflow.artifacts.evaluations import Candidate
from reelflow.measures.comparison import RESAMPLES, SEED, Paired, compare


def above_chance(chosen: Candidate) -> Paired:
    """The classifier against the most frequent class, on the same test clips.

    Raises:
        BundleError: the scores are damaged.
    """
    truth = np.array(chosen.report.truth)  # (test clips,)
    frequent = np.bincount(truth).argmax()
    return compare(chosen.right(), truth == frequent, chosen.report.groups, resamples=RESAMPLES, seed=SEED)
