"""Which of two classifiers is better on the same clips."""


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
