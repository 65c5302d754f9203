"""Which of two classifiers is better on the same clips."""

from reelflow.contracts import Interval

NOISE = 0.05  # probability above which a difference between two classifiers may be chance


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
        only_a: clips that only the one classifier names correctly.
        only_b: clips that only the other does.

    Returns:
        How probable a difference of this size or more is if both are equally good; 1 if they never
        differ.
    """
    from scipy.stats import binom

    return min(1.0, 2 * float(binom.cdf(min(only_a, only_b), only_a + only_b, 0.5)))
