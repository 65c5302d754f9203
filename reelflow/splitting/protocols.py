"""Evaluation protocols: which clips are held out, and which clips select the epoch.

Every step that trains makes the same folds from the same clips, so that scores can be
compared clip by clip.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from reelflow.contracts import Clip
from reelflow.errors import DataError, ParamsError
from reelflow.splitting.splits import Member, split_by_group

KFOLD = re.compile(r"group_kfold\((\d{1,4})(?:, *seed=(\d{1,9}))?\)")
CROSS_SET = re.compile(r"cross_set\(([^()]+)\)")
LEAST_FOLDS, MOST_FOLDS = 2, 1000
MOST_VALIDATION = 0.5  # of the clips that a fold does not test


@dataclass(frozen=True)
class Protocol:
    """How clips are held out.

    Attributes:
        kind: `holdout` as the dataset step split; `group_kfold`, k folds of whole groups;
            `leave_one_group_out`; `cross_set`, which trains on one set of groups and tests on the rest.
        folds: of `group_kfold`.
        seed: of `group_kfold`.
        prefix: of `cross_set`: how the names of the groups to train on begin.
    """

    kind: Literal["holdout", "group_kfold", "leave_one_group_out", "cross_set"]
    folds: int = 0
    seed: int = 1
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> "Protocol":
        """Read what `str` writes: `holdout`, `group_kfold(5, seed=2)`, `cross_set(set1)`, ...

        Raises:
            ValueError: unknown protocol.
        """
        text = text.strip()
        if text == "holdout":
            return cls("holdout")
        if text == "leave_one_group_out":
            return cls("leave_one_group_out")
        if (found := KFOLD.fullmatch(text)) and LEAST_FOLDS <= int(found[1]) <= MOST_FOLDS:
            return cls("group_kfold", folds=int(found[1]), seed=int(found[2] or 1))
        if (found := CROSS_SET.fullmatch(text)) and found[1].strip():
            return cls("cross_set", prefix=found[1].strip())
        raise ValueError(
            f"found {text[:100]!r}, expected holdout, leave_one_group_out, cross_set(PREFIX), or "
            f"group_kfold(K) with {LEAST_FOLDS} to {MOST_FOLDS} folds"
        )

    def __str__(self) -> str:
        if self.kind == "group_kfold":
            return f"group_kfold({self.folds}{f', seed={self.seed}' if self.seed != 1 else ''})"
        return f"cross_set({self.prefix})" if self.kind == "cross_set" else self.kind


def read_protocol(text: str) -> Protocol:
    """Parse a protocol.

    Raises:
        ParamsError: unknown protocol.
    """
    try:
        return Protocol.parse(text)
    except ValueError as error:
        raise ParamsError(f"evaluation.protocol: {error}") from error


@dataclass(frozen=True)
class ClipFold:
    """One fold of the clips. No group is in two parts, unless the dataset step splits clip by clip."""

    name: str
    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]


def make_folds(clips: Sequence[Clip], protocol: Protocol) -> tuple[ClipFold, ...]:
    """Make the folds; the same clips and protocol give the same folds.

    In all but `holdout` the validation clips are taken, by whole groups, from those that a fold does
    not test; they are as many as the dataset step took, but no more than half.

    Raises:
        DataError: a class is missing where it is needed, or there are too few groups.
    """
    if protocol.kind == "holdout":
        parts = ([clip for clip in clips if clip.split == split] for split in ("train", "validation", "test"))
        return (ClipFold("holdout", *map(tuple, parts)),)
    return tuple(_cut(name, clips, tested) for name, tested in _tested(clips, protocol))


def check_groups(groups: Iterable[str], protocol: Protocol) -> None:
    """Check that there are groups to hold out; `make_folds` also checks the groups of each class.

    Raises:
        DataError: there are too few groups, or `cross_set` has nothing to train or to test on.
    """
    names = sorted(set(groups))
    if protocol.kind == "cross_set":
        training = sum(name.startswith(protocol.prefix) for name in names)
        if training in (0, len(names)):
            raise DataError(
                f"{training} of {len(names)} groups begin with {protocol.prefix!r}; "
                f"{protocol} trains on these and needs others to test on; the first is {names[0]!r}"
            )
        return
    least = {"leave_one_group_out": 3, "group_kfold": protocol.folds}.get(protocol.kind, 0)
    if len(names) < least:
        raise DataError(f"{protocol} needs {least} groups or more; found {len(names)}: add groups")


def _tested(clips: Sequence[Clip], protocol: Protocol) -> Iterator[tuple[str, set[str]]]:
    """Name and tested groups of every fold."""
    groups = sorted({clip.group for clip in clips})
    check_groups(groups, protocol)
    if protocol.kind == "leave_one_group_out":
        for group in groups:
            yield group, {group}
    elif protocol.kind == "cross_set":
        yield f"not {protocol.prefix}", {group for group in groups if not group.startswith(protocol.prefix)}
    else:
        yield from _stratified(clips, protocol)


def _stratified(clips: Sequence[Clip], protocol: Protocol) -> Iterator[tuple[str, set[str]]]:
    from sklearn.model_selection import StratifiedGroupKFold

    ordered = sorted(clips, key=lambda clip: clip.clip_id)  # whatever the clips' names and order
    labels, groups = [clip.label for clip in ordered], np.array([clip.group for clip in ordered])
    if (rarest := min(Counter(labels).values())) < protocol.folds:
        raise DataError(f"a class has {rarest} clips, fewer than the folds of {protocol}: take fewer folds")
    splitter = StratifiedGroupKFold(protocol.folds, shuffle=True, random_state=protocol.seed)
    for number, (_, test) in enumerate(splitter.split(labels, labels, groups), start=1):
        yield f"fold {number}", set(groups[test].tolist())


def _cut(name: str, clips: Sequence[Clip], tested: set[str]) -> ClipFold:
    rest = [clip for clip in clips if clip.group not in tested]
    test = tuple(clip for clip in clips if clip.group in tested)
    _check_classes(name, clips, rest)
    fraction = min(sum(clip.split == "validation" for clip in clips) / len(rest), MOST_VALIDATION)
    members = [Member(clip.clip_id, clip.label, clip.group) for clip in rest]
    splits = split_by_group(members, {"train": 1 - fraction, "validation": fraction}, seed=1)
    train, validation = (
        tuple(clip for clip in rest if splits[clip.clip_id] == split) for split in ("train", "validation")
    )
    return ClipFold(name, train, validation, test)


def _check_classes(name: str, clips: Sequence[Clip], rest: Sequence[Clip]) -> None:
    """Every class needs one group to train on and one to validate on."""
    groups = {
        label: {clip.group for clip in rest if clip.label == label} for label in {c.label for c in clips}
    }
    small = sorted(label for label, found in groups.items() if len(found) < 2)
    if small:
        raise DataError(
            f"with {name!r} held out, fewer than two groups are left of {', '.join(small)}: "
            "add groups to these classes, or hold out less at a time"
        )
