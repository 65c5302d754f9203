"""Clips to train, validation and test, by whole groups and with every class in every split.

The group of a clip is the recording that it was taken from. Near-identical clips of one group in
two splits would make a classifier look better than it is. Groups may hold several classes,
so an exact split may not exist: seeded greedy assignments are tried and the best one is kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from reelflow.contracts import Split
from reelflow.errors import DataError

MAX_TRIALS = 300
MAX_GROUPS_PLACED = 100_000


@dataclass(frozen=True)
class Member:
    """A clip as the split sees it."""

    path: str
    label: str
    group: str


Cost = tuple[int, float]


def split_by_group(
    members: Sequence[Member], fractions: Mapping[Split, float], seed: int
) -> dict[str, Split]:
    """Assign whole groups to splits.

    Args:
        members: the clips; every class must have at least as many groups as there are splits.
        fractions: of the clips, by split; they add up to 1.
        seed: the same seed gives the same split.

    Returns:
        The split of every clip, by its path.

    Raises:
        DataError: no assignment was found that has every class in every split.
    """
    groups = _classes_of_groups(members)
    totals = Counter(member.label for member in members)
    random = Random(seed)  # noqa: S311
    trials = max(5, min(MAX_TRIALS, MAX_GROUPS_PLACED // len(groups)))
    (missing, _), best = min(
        (_assign(groups, totals, fractions, random) for _ in range(trials)), key=lambda trial: trial[0]
    )
    if missing:
        raise DataError(_explain(groups, best, fractions))
    return {member.path: best[member.group] for member in members}


def _classes_of_groups(members: Iterable[Member]) -> dict[str, Counter[str]]:
    """Clips of each class in each group, groups sorted."""
    groups: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for member in members:
        groups[member.group][member.label] += 1
    return dict(sorted(groups.items()))


def _assign(
    groups: Mapping[str, Counter[str]], totals: Counter[str], fractions: Mapping[Split, float], random: Random
) -> tuple[Cost, dict[str, Split]]:
    """One greedy assignment in a random order, large groups mostly first, and what it costs."""
    found: dict[Split, Counter[str]] = {split: Counter() for split in fractions}
    order = sorted(groups, key=lambda group: -groups[group].total() * random.uniform(0.5, 1.5))
    assignment: dict[str, Split] = {}
    for group in order:
        content = groups[group]
        split = min(
            fractions,
            key=lambda split: _gain(content, found[split], totals, fractions[split]),
        )
        assignment[group] = split
        found[split].update(content)
    return _cost(found, totals, fractions), assignment


def _gain(content: Counter[str], found: Counter[str], totals: Counter[str], fraction: float) -> Cost:
    """How the cost changes when a group of this content joins a split; lower is better."""
    fills = sum(not found[label] for label in content)
    change = 0.0
    for label, clips in content.items():
        off = found[label] - fraction * totals[label]
        change += ((off + clips) ** 2 - off**2) / totals[label]
    return -fills, change


def _cost(
    found: Mapping[Split, Counter[str]], totals: Counter[str], fractions: Mapping[Split, float]
) -> Cost:
    """Missing (class, split) pairs first, then squared deviations from the fractions."""
    missing = sum(not found[split][label] for split in fractions for label in totals)
    off = sum(
        (found[split][label] - fraction * total) ** 2 / total
        for split, fraction in fractions.items()
        for label, total in totals.items()
    )
    return missing, off


def _explain(
    groups: Mapping[str, Counter[str]], best: Mapping[str, Split], fractions: Mapping[Split, float]
) -> str:
    found = {(label, best[group]) for group, content in groups.items() for label in content}
    labels = sorted({label for content in groups.values() for label in content})
    lines = [
        f"  {label}: none in {split}"
        for label in labels
        for split in fractions
        if (label, split) not in found
    ]
    return (
        f"no split by group has every class in {', '.join(fractions)}; the best of many lacks\n"
        + "\n".join(lines)
        + "\nAdd groups to these classes, try another dataset.seed, or set dataset.split: random"
    )
