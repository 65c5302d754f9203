"""Applies a given split, of lists or folders, to the available clips."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from reelflow.contracts import SPLITS, Split
from reelflow.errors import DataError
from reelflow.splitting.splits import Member

Parts = dict[str, list[Member]]


def parts_of(members: Sequence[Member], given: Mapping[str, Split]) -> Parts:
    """The clips of each given split.

    Raises:
        DataError: no clip is in one.
    """
    parts: Parts = {split: [] for split in SPLITS if split in given.values()}
    for member in members:
        if split := given.get(member.path):
            parts[split].append(member)
    if members and not any(parts.values()):
        raise DataError(
            f"none of {len(members)} clips is in the split lists; the first clip is {members[0].path}, "
            f"the first one listed is {min(given)}: name the folder that the lists' paths start in"
        )
    return parts


def presence(parts: Parts, given: Mapping[str, Split]) -> tuple[str, ...]:
    """How many listed clips are available, in all and by class; empty if all are."""
    listed = _by_class(given)
    found = _by_class(member.path for part in parts.values() for member in part)
    if found == listed:
        return ()
    absent = [label for label in listed if not found[label]]
    none = f"; {len(absent)} of the {len(listed)} classes have no clip" if absent else ""
    partial = [
        f"{label} {found[label]} of {listed[label]}"
        for label in sorted(found)
        if found[label] < listed[label]
    ]
    notes = [f"{found.total()} of {listed.total()} listed clips are available and usable{none}"]
    return (*notes, *([f"partly available classes: {', '.join(partial)}"] if partial else []))


def explain_absent(members: Iterable[Member], given: Mapping[str, Split]) -> str:
    """How many listed clips are not there, with an example; empty if all are."""
    absent = sorted(given.keys() - {member.path for member in members})
    if not absent:
        return ""
    return (
        f"\n{len(absent)} of {len(given)} listed clips are not there or not usable, such as {absent[0]}: "
        "the lists must write paths as they are below the folder of clips"
    )


def explain_apart(parts: Parts, labels: Collection[str]) -> tuple[str, ...]:
    """Why these classes do not follow the lists, and the consequence."""
    if not labels:
        return ()
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, members in parts.items():
        for member in members:
            counts[member.label][name] += 1
    found = "; ".join(f"{label}: {_where(counts[label])}" for label in sorted(labels))
    return (
        f"{len(labels)} class(es) lack clips in one of the lists and are split by whole groups instead "
        f"({found}): figures that these classes take part in cannot be compared with figures on the lists",
    )


def _where(counts: Counter[str]) -> str:
    if len(+counts) == 1:
        return f"{counts.total()} clips, all in the {next(iter(counts))} list"
    return f"{counts.total()} clips, {counts['train']} in the train list, {counts['test']} in the test list"


def _by_class(paths: Iterable[str]) -> Counter[str]:
    """Count clips by class folder."""
    return Counter(PurePosixPath(path).parts[0] for path in paths)
