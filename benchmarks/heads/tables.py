"""What is written of the measured heads: tables, and which one is enough."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import mean
from typing import NamedTuple

from reelflow.contracts import Interval

WITHIN_CLIPS = 1  # of the best
ALL = "all sets"


class Trained(NamedTuple):
    """A head of a size on a set, as a device runs it, on clips that it has not seen.

    Attributes:
        right: clips that are classified correctly, by seed.
    """

    name: str
    units: int
    clips: int
    right: tuple[int, ...]
    interval: Interval
    size_bytes: int
    clip_ms: float


class Converted(NamedTuple):
    """A form of heads of a size on a set, against the float32 loop; `problem` says why there is none."""

    name: str
    units: int
    form: str
    problem: str = ""
    clips: int = 0
    right: int = 0
    agreeing: int = 0
    difference: float = 0.0
    size_bytes: int = 0
    clip_ms: float = 0.0


def recommended(heads: Iterable[Trained]) -> dict[str, int]:
    """By set, and over all: the smallest units within a clip of the best, in the mean over seeds."""
    right: dict[str, dict[int, float]] = {}
    for head in heads:
        right.setdefault(head.name, {})[head.units] = mean(head.right)
    chosen = {name: _smallest(found) for name, found in right.items()}
    common = set.intersection(*map(set, right.values())) if right else set()
    if len(right) > 1 and common:
        chosen[ALL] = _smallest({n: sum(found[n] for found in right.values()) for n in common})
    return chosen


def _smallest(right: dict[int, float]) -> int:
    return min(units for units, found in right.items() if found >= max(right.values()) - WITHIN_CLIPS)


def size_table(heads: Sequence[Trained]) -> Iterator[str]:
    """One row a head, then the recommendations."""
    yield "| set | units | clips | right | accuracy | 95 % | size | ms a clip |\n|" + "---|" * 8
    for head in heads:
        yield (
            f"| {head.name} | {head.units} | {head.clips} | {', '.join(map(str, head.right))} "
            f"| {mean(head.right) / head.clips:.3f} | {head.interval.low:.2f} to {head.interval.high:.2f} "
            f"| {head.size_bytes / 1e6:.2f} MB | {head.clip_ms:.2f} |"
        )
    for name, units in recommended(heads).items():
        yield f"{name}: {units} units, the smallest within {WITHIN_CLIPS} clip of the best"


def form_table(forms: Iterable[Converted]) -> Iterator[str]:
    """One row a form; those that fail say why."""
    yield "| set | units | form | agreement | score difference | right | size | ms a clip |\n|" + "---|" * 8
    for form in forms:
        begin = f"| {form.name} | {form.units} | {form.form} |"
        if form.problem:
            yield f"{begin} fails: {form.problem} | | | | |"
            continue
        yield (
            f"{begin} {form.agreeing / form.clips:.3f} | {form.difference:.4f} "
            f"| {form.right} of {form.clips} | {form.size_bytes / 1e6:.2f} MB | {form.clip_ms:.2f} |"
        )


def newcomer_table(found: dict[str, dict[str, float]]) -> Iterator[str]:
    """Each figure of both, and how many times ours the unrolled one is."""
    yield "| figure | ours | unrolled float32 | ratio |\n|---|---|---|---|"
    for name, ours in found["ours"].items():
        other = found["unrolled"][name]
        ratio = f"{other / ours:.1f}x" if ours else ""
        yield f"| {name} | {ours:.4g} | {other:.4g} | {ratio} |"
