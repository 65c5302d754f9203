"""Submit work ahead of its consumer and return the results in order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Pending = TypeVar("Pending")
AHEAD = 8
"""Items per worker: enough to keep it busy, few enough to bound memory."""


def ahead(submit: Callable[[Item], Pending], items: Iterable[Item], count: int) -> Iterator[Pending]:
    """Submit items, `count` of them ahead, and yield each pending result in order."""
    waiting = iter(items)
    pending = deque(map(submit, islice(waiting, count)))
    while pending:
        yield pending.popleft()
        pending.extend(map(submit, islice(waiting, 1)))
