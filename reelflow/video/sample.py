"""Which frames of a clip are sampled: those shown in the middle of its equal parts."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

MAX_ROUNDING_S = 0.0011  # many containers round times to milliseconds


def uniform_indices(total: int, count: int) -> tuple[int, ...]:
    """Centres of `count` equal segments of a row of `total` frames.

    Fewer frames than `count` are repeated; order never turns back.

    Returns:
        `count` indices, each in `0 .. total - 1`.

    Raises:
        ValueError: `total` or `count` is below 1.
    """
    if total < 1 or count < 1:
        raise ValueError(f"cannot choose {count} of {total} frames: both must be at least 1")
    return tuple((2 * i + 1) * total // (2 * count) for i in range(count))


def shown_indices(times_s: Sequence[Fraction], end_s: Fraction, count: int) -> tuple[int, ...]:
    """Frames that are shown at the centres of `count` equal parts of a clip, by time.

    At a constant rate these are the `uniform_indices`, but for `rounding_s`.

    Args:
        times_s: when each frame is shown first, from 0 on; they never fall.
        end_s: when the last one ends.
        count: of parts.

    Returns:
        `count` indices, each in `0 .. len(times_s) - 1`.
    """
    if not times_s[-1]:
        return uniform_indices(len(times_s), count)
    interval_s = end_s / count
    late_s = Fraction(rounding_s(float(interval_s)))
    return tuple(bisect_right(times_s, (i + Fraction(1, 2)) * interval_s + late_s) - 1 for i in range(count))


def rounding_s(interval_s: float) -> float:
    """How late a frame may come and still be shown at a moment, where moments are `interval_s` apart."""
    return min(MAX_ROUNDING_S, interval_s / 10)
