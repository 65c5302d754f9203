"""95 % intervals by resampling whole groups: similar clips of one group are not independent.

The percentiles are widened for few groups as Hesterberg does (What Teachers Should Know About the
Bootstrap, 2015, section 5.4): plain ones are too narrow there. Limits of resampling:
- with one group the clips are resampled one by one; the interval holds for more clips of that
  group, not for other groups, and every display says so (`single_group`);
- where every resample gives the same accuracy (all right, say), the interval is Wilson's, of as
  many draws as there are groups.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from reelflow.contracts import Interval

Sums = NDArray[np.float64]
Right = NDArray[np.bool_]
Classes = NDArray[np.int64]
Metric = Callable[[Sums], NDArray[np.float64]]

TAIL = 0.025
Z = 1.959963984540054  # of a normal distribution, at the tail
MOST_CELLS = 2_000_000  # of one block of resamples; 16 MB


def single_group(groups: Sequence[str]) -> bool:
    """Whether all clips are of one group, so that an interval is over clips only."""
    return len(set(groups)) < 2


def group_interval(right: Right, groups: Sequence[str], *, resamples: int, seed: int) -> Interval:
    """Interval of an accuracy, top-1 or top-k.

    Args:
        right: whether each clip is classified correctly, `(clips,)`.
        groups: group of each clip.
        resamples: of the groups, with replacement.
        seed: of the resamples.
    """
    sums = _sum_by_group(np.stack([right, np.ones_like(right)], axis=1), groups)  # (groups, 2)
    found = _interval(sums, _ratio, resamples, seed)
    return found if found.low < found.high else wilson(float(np.mean(right)), len(sums))


def f1_interval(
    predicted: Classes, truth: Classes, classes: int, groups: Sequence[str], *, resamples: int, seed: int
) -> Interval:
    """Interval of the macro F1; a class that a resample lacks is left out of its mean.

    Args:
        predicted: class index of each clip, `(clips,)`.
        truth: class index of each clip, `(clips,)`.
        classes: number of classes.
        groups: group of each clip.
        resamples: of the groups, with replacement.
        seed: of the resamples.
    """
    rows = np.zeros((len(truth), 2, classes))  # a clip's hits, and what it adds to either margin
    clips = np.arange(len(truth))
    rows[clips, 0, truth] = predicted == truth
    rows[clips, 1, truth] += 1
    rows[clips, 1, predicted] += 1
    sums = _sum_by_group(rows.reshape(len(truth), -1), groups)  # (groups, 2 * classes)
    never = int((rows[:, 1].sum(axis=0) == 0).sum())  # these count as 0 in the macro F1 itself

    def macro_f1(drawn: Sums) -> NDArray[np.float64]:
        hits, margins = np.split(drawn, 2, axis=1)  # (resamples, classes) each
        present = (margins > 0).sum(axis=1) + never
        f1: NDArray[np.float64] = (2 * hits / np.maximum(margins, 1)).sum(axis=1) / present
        return f1

    found = _interval(sums, macro_f1, resamples, seed)
    if found.low < found.high:
        return found
    return wilson(float(macro_f1(sums.sum(axis=0, keepdims=True))[0]), len(sums))


def paired_interval(
    right_a: Right, right_b: Right, groups: Sequence[str], *, resamples: int, seed: int
) -> Interval:
    """Interval of accuracy of a minus accuracy of b, on the same clips.

    Args:
        right_a: whether a classifies each clip correctly, `(clips,)`.
        right_b: the same for b, `(clips,)`.
        groups: group of each clip.
        resamples: of the groups, with replacement.
        seed: of the resamples.
    """
    differences = right_a.astype(np.float64) - right_b
    sums = _sum_by_group(np.stack([differences, np.ones_like(differences)], axis=1), groups)
    return _interval(sums, _ratio, resamples, seed)


def wilson(fraction: float, draws: int) -> Interval:
    """Wilson's interval of a fraction of independent draws."""
    spread = Z**2 / draws
    middle = (fraction + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * float(np.sqrt(fraction * (1 - fraction) / draws + spread / draws / 4))
    return Interval(low=max(0.0, min(middle - half, fraction)), high=min(1.0, max(middle + half, fraction)))


def _sum_by_group(rows: NDArray[np.generic], groups: Sequence[str]) -> Sums:
    """Sums over each group's clips, `(groups, k)`; clip by clip if there is one group."""
    if single_group(groups):
        return rows.astype(np.float64)
    names, places = np.unique(np.array(groups), return_inverse=True)
    sums = np.zeros((len(names), rows.shape[1]))
    np.add.at(sums, places, rows)
    return sums


def _ratio(drawn: Sums) -> NDArray[np.float64]:
    """Of the first column to the second, `(resamples, 2)` to `(resamples,)`."""
    ratio: NDArray[np.float64] = drawn[:, 0] / drawn[:, 1]
    return ratio


def _interval(sums: Sums, metric: Metric, resamples: int, seed: int) -> Interval:
    """Percentiles of a metric of resampled groups' sums."""
    draws = np.concatenate([metric(drawn) for drawn in _resample(sums, resamples, seed)])
    tail = _widened_tail(len(sums))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return Interval(low=float(low), high=float(high))


def _resample(sums: Sums, resamples: int, seed: int) -> list[Sums]:
    """Sums over as many groups as there are, drawn with replacement, in blocks `(n, k)`."""
    chance, groups = np.random.default_rng(seed), len(sums)
    block = max(1, MOST_CELLS // groups)
    blocks = []
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        picks = chance.integers(0, groups, (rows, groups))
        cells = (picks + np.arange(rows)[:, None] * groups).ravel()
        times = np.bincount(cells, minlength=rows * groups).reshape(rows, groups)
        blocks.append(times.astype(np.float64) @ sums)
    return blocks


def _widened_tail(groups: int) -> float:
    """The percentile that replaces 2.5 % for this number of groups."""
    from scipy.stats import norm, t

    if groups < 2:
        return TAIL
    tail: float = norm.cdf(np.sqrt(groups / (groups - 1)) * t.ppf(TAIL, groups - 1))
    return tail
