"""Waits between attempts to reach a source."""

from random import Random

FIRST_S, LONGEST_S, FACTOR = 0.5, 60.0, 2.0
HEALTHY_S = 60.0


class Backoff:
    """Growing, jittered waits: many cameras behind one switch do not come back at once.

    A connection that has held for `HEALTHY_S` starts anew.
    """

    def __init__(self, random: Random | None = None) -> None:
        self._random = random or Random()  # noqa: S311
        self._next_s = FIRST_S

    def after(self, connected_s: float) -> float:
        """Seconds to wait.

        Args:
            connected_s: how long the last connection held; 0 if there was none.
        """
        if connected_s >= HEALTHY_S:
            self._next_s = FIRST_S
        wait_s = self._next_s * self._random.uniform(0.5, 1.0)
        self._next_s = min(LONGEST_S, self._next_s * FACTOR)
        return wait_s
