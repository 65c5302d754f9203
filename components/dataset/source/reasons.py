"""The commonest of many reasons, for one message."""

from collections import Counter
from collections.abc import Iterable

SHOWN = 3


def commonest(reasons: Iterable[str]) -> str:
    """Such as `4 the file is empty; 2 it is a web page; and 1 more`."""
    counts = Counter(reasons)
    shown = [f"{count} {reason}" for reason, count in counts.most_common(SHOWN)]
    left = counts.total() - sum(count for _, count in counts.most_common(SHOWN))
    return "; ".join([*shown, *([f"and {left} more"] if left else [])])
