"""Where the time goes: seconds spent in each stage of the work."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up seconds by stage.

    Attributes:
        seconds: so far, by stage.
        rounds: how often, by stage.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.rounds: Counter[str] = Counter()

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Count what is done here to a stage."""
        started = time.perf_counter()
        yield
        self.add(stage, time.perf_counter() - started)

    def add(self, stage: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
        self.rounds[stage] += 1
