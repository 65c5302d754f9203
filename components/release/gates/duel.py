"""The gates on the comparison with the champion."""

from components.release.champion import Incomparable, replaces
from components.release.gates.check import BETTER, CLASS_FALL
from reelflow.contracts import Comparison, Gate
from reelflow.params import ReleaseParams


def duel_gates(params: ReleaseParams, against: Comparison | Incomparable | None) -> tuple[Gate, ...]:
    """Gates of a challenger against the champion; none if there is no other champion.

    Args:
        params: the limits.
        against: the comparison.
    """
    if against is None:
        return ()
    if isinstance(against, Incomparable):
        why = f"version {against.version}, the champion, {against.reason}"
        return (Gate(name=BETTER, found=None, limit=0.0, passed=False, why=why),)
    lead, fall = round(against.difference_interval.low, 9), round(against.class_fall, 9)
    return (
        Gate(name=BETTER, found=lead, limit=0.0, passed=replaces(against)),
        Gate(name=CLASS_FALL, found=fall, limit=params.max_class_fall, passed=fall <= params.max_class_fall),
    )
