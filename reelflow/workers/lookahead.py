"""Work under way before its results are asked for, which come in order all the same."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Pending = TypeVar("Pending")
AHEAD = 8
"""Items for each worker that keep it busy and bound the memory."""


def ahead(submit: Callable[[Item], Pending], items: Iterable[Item], count: int) -> Iterator[Pending]:
    """Submit items, `count` of them ahead, and give what stands for each one's result, in order."""
    waiting = iter(items)
    pending = deque(map(submit, islice(waiting, count)))
    while pending:
        yield pending.popleft()
        pending.extend(map(submit, islice(waiting, 1)))
