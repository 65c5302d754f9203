"""Which of two classifiers is better on the same clips."""

from collections.abc import Sequence
from dataclasses import dataclass

from reelflow.contracts import Interval
from reelflow.measures.intervals import Right, paired_interval

NOISE = 0.05  # p-value above which a difference may be noise
RESAMPLES, SEED = 10_000, 1  # of a comparison on which something is decided


@dataclass(frozen=True)
class Paired:
    """Two classifiers on the same clips.

    Attributes:
        difference: accuracy of a minus accuracy of b.
        interval: of 95 %, by a paired group bootstrap.
        only_a: clips that only a classifies correctly.
        only_b: clips that only b classifies correctly.
        p_value: of McNemar's exact test, two-sided.
    """

    difference: float
    interval: Interval
    only_a: int
    only_b: int
    p_value: float

    @property
    def is_clearly_better(self) -> bool:
        """Whether a is better than b beyond noise."""
        return is_clearly_better(self.interval, self.p_value)

    @property
    def is_clearly_worse(self) -> bool:
        """Whether b is better than a beyond noise."""
        mirrored = Interval(low=-self.interval.high, high=-self.interval.low)
        return is_clearly_better(mirrored, self.p_value)


def compare(right_a: Right, right_b: Right, groups: Sequence[str], *, resamples: int, seed: int) -> Paired:
    """Compare two classifiers, clip by clip.

    Args:
        right_a: whether a classifies each clip correctly, `(clips,)`.
        right_b: the same for b.
        groups: group of each clip.
        resamples: of whole groups.
        seed: of the resamples.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    return Paired(
        difference=(only_a - only_b) / len(right_a),
        interval=paired_interval(right_a, right_b, groups, resamples=resamples, seed=seed),
        only_a=only_a,
        only_b=only_b,
        p_value=mcnemar(only_a, only_b),
    )


def is_clearly_better(difference: Interval, p_value: float) -> bool:
    """Whether one classifier is better than the other beyond noise.

    It takes both: the interval alone is fooled by very few groups, the test alone by clips of one
    group that are alike.

    Args:
        difference: of the accuracies, by `paired_interval`.
        p_value: by `mcnemar`.
    """
    return difference.low > 0 and p_value < NOISE


def mcnemar(only_a: int, only_b: int) -> float:
    """McNemar's exact test, two-sided.

    Args:
        only_a: clips that only a classifies correctly.
        only_b: clips that only b classifies correctly.

    Returns:
        How probable a difference of this size or more is if both are equally good; 1 if they never
        differ.
    """
    from scipy.stats import binomtest

    differing = only_a + only_b
    return float(binomtest(only_a, differing).pvalue) if differing else 1.0
