"""Splits the clips as params say: by group or clip by clip, freely, by split lists or by split folders."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import shorten
from typing import Literal

from components.dataset.cut_groups import notes_on_cut_groups
from components.dataset.lists.files import read_lists
from components.dataset.lists.parts import Parts, explain_absent, explain_apart, parts_of, presence
from components.dataset.source.reasons import commonest
from reelflow.contracts import SPLITS, Rejected, Split
from reelflow.errors import DataError, some_of
from reelflow.params import DatasetParams
from reelflow.progress import emit
from reelflow.splitting.splits import Member, split_by_group

WHOLE: Mapping[str, int] = {"all": 3}
LISTED: Mapping[str, int] = {"train": 2, "test": 1}
GIVEN: Mapping[str, int] = {"train": 1, "validation": 1, "test": 1}
NONE_GIVEN: Mapping[str, Split] = {}
NONE_REFUSED: Mapping[str, Sequence[str]] = {}
LONGEST_NOTICE = 400
SHOWN = 5


@dataclass(frozen=True)
class SplitResult:
    """The kept clips: `splits` maps the path of a clip to its split."""

    splits: dict[str, Split]
    dropped_classes: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitPlan:
    """How to split: `train`, `validation` and `test` hold given clips, `all` the clips to split freely.

    Attributes:
        small: classes that are too small for every split, with their counts.
        needed: minimum per class, by part.
        unit: of `needed`.
        crowded: small classes with enough clips, in too few groups.
        following: clips that follow the other clips of their group.
    """

    parts: Parts
    small: dict[str, str]
    needed: Mapping[str, int]
    unit: Literal["clips", "groups"]
    notes: tuple[str, ...] = ()
    crowded: frozenset[str] = frozenset()
    following: tuple[Member, ...] = ()


def split_clips(
    members: Sequence[Member],
    labels: Collection[str],
    params: DatasetParams,
    *,
    folders: Mapping[str, Split] = NONE_GIVEN,
    refused: Mapping[str, Sequence[str]] = NONE_REFUSED,
) -> SplitResult:
    """Split the clips; classes that are too small are dropped if params say so.

    Args:
        members: the usable clips.
        labels: all classes, including those without a usable clip.
        params: fractions, lists, seed.
        folders: the split of clips in split folders, by path; split lists come before it.
        refused: the reasons why clips were refused, by label.

    Raises:
        DataError: a class is too small, or fewer than two classes are left.
        ParamsError: a list cannot be read.
    """
    given = folders
    if params.split_lists:
        given = read_lists(params.split_lists, (member.path for member in members))
    plan = _plan(members, labels, given, params)
    if plan.small and not params.drop_small_classes:
        absent = explain_absent(members, given) if params.split_lists else ""
        raise DataError(_explain(plan, refused) + absent)
    tell(plan.notes)
    _check_classes_left(labels, plan.small)
    splits = _splits(plan, params)
    tell(cut := notes_on_cut_groups(members, splits, _causes(params, given)))
    unlisted = [member.path for member in members if given and member.path not in given]
    rejected = tuple(Rejected(path=path, reason="it is in neither split list") for path in unlisted)
    return SplitResult(splits, tuple(plan.small), rejected, (*plan.notes, *cut))


def _plan(
    members: Sequence[Member], labels: Collection[str], given: Mapping[str, Split], params: DatasetParams
) -> SplitPlan:
    parts = parts_of(members, given) if given else {"all": list(members)}
    kind = "list" if params.split_lists else "folder"
    needed = GIVEN if "validation" in parts else LISTED if given else WHOLE
    unit: Literal["clips", "groups"] = "clips" if params.split == "random" else "groups"
    small = _too_small(parts, labels, needed, unit, kind)
    notes = presence(parts, given) if params.split_lists else ()
    if small and params.split_lists and params.split_lists.incomplete == "split":
        return _set_apart(parts, set(small), notes)
    crowded = frozenset(small.keys() - _too_small(parts, labels, needed, "clips").keys())
    return SplitPlan(_without(parts, small), small, needed, unit, notes, crowded)


def _set_apart(parts: Parts, incomplete: set[str], notes: tuple[str, ...]) -> SplitPlan:
    """Split the classes that do not fit the lists freely, always by whole groups.

    A group that complete classes share stays where the lists put it.
    """
    apart = [member for part in parts.values() for member in part if member.label in incomplete]
    complete = _without(parts, incomplete)
    known = {member.group for members in complete.values() for member in members}
    free = [member for member in apart if member.group not in known]
    small = _too_small({"all": free}, incomplete, WHOLE, "groups")
    notes = (*notes, *explain_apart(parts, incomplete - set(small)))
    following = _without({"all": [member for member in apart if member.group in known]}, small)["all"]
    parts = complete | _without({"all": free}, small)
    return SplitPlan(parts, small, WHOLE, "groups", notes, following=tuple(following))


def _without(parts: Parts, labels: Collection[str]) -> Parts:
    return {
        name: [member for member in members if member.label not in labels] for name, members in parts.items()
    }


def _splits(plan: SplitPlan, params: DatasetParams) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    if "validation" in plan.parts:
        given = {split: plan.parts[split] for split in SPLITS}
        splits |= {member.path: split for split, members in given.items() for member in members}
    elif plan.parts.get("train"):
        splits |= _split_train(plan.parts, params)
    if freely := plan.parts.get("all"):
        by_clip = params.split == "random" and not params.split_lists
        splits |= _split(freely, _fractions(params), params.seed, by_clip=by_clip)
    placed = {member.group: splits[member.path] for part in plan.parts.values() for member in part}
    return splits | {member.path: placed[member.group] for member in plan.following}


def _causes(params: DatasetParams, given: Mapping[str, Split]) -> tuple[str, str]:
    """What may have cut groups: where test, and where validation clips are held out."""
    by_params = f"dataset.split is {params.split}"
    if not given:
        return by_params, by_params
    kind = "lists" if params.split_lists else "split folders"
    return f"the {kind} say", f"the {kind} say" if "validation" in given.values() else by_params


def _fractions(params: DatasetParams) -> dict[Split, float]:
    train = 1 - params.validation - params.test
    return dict(zip(SPLITS, (train, params.validation, params.test), strict=True))


def _split_train(parts: Parts, params: DatasetParams) -> dict[str, Split]:
    """Take validation clips from the train list; the fraction counts all clips."""
    train, test = parts["train"], parts["test"]
    validation = params.validation * (len(train) + len(test)) / len(train)
    if validation >= 1:
        raise DataError(
            f"dataset.validation, {params.validation} of all clips, uses up the train list: lower it"
        )
    fractions: dict[Split, float] = {"train": 1 - validation, "validation": validation}
    splits = _split(train, fractions, params.seed, by_clip=params.split == "random")
    return {**splits, **{member.path: "test" for member in test}}


def _split(
    members: Sequence[Member], fractions: dict[Split, float], seed: int, *, by_clip: bool
) -> dict[str, Split]:
    if by_clip:
        members = [replace(member, group=member.path) for member in members]
    return split_by_group(members, fractions, seed)


def _too_small(
    parts: Parts,
    labels: Collection[str],
    needed: Mapping[str, int],
    unit: Literal["clips", "groups"],
    kind: str = "list",
) -> dict[str, str]:
    """Classes that are too small for every split, with their counts."""
    small: dict[str, list[str]] = defaultdict(list)
    for name, least in needed.items():
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for member in parts[name]:
            groups[member.label].append(member.group)
        for label in sorted(labels):
            clips, distinct = len(groups[label]), len(set(groups[label]))
            if (clips if unit == "clips" else distinct) < least:
                where = "" if name == "all" else f" in the {name} {kind}"
                small[label].append(f"{clips} clip(s) in {distinct} group(s){where}")
    return {label: "; ".join(small[label]) for label in sorted(small)}


def _explain(plan: SplitPlan, refused: Mapping[str, Sequence[str]]) -> str:
    least = " and ".join(
        f"{count}" + ("" if name == "all" else f" in {name}") for name, count in plan.needed.items()
    )
    lines = [f"  {label}: {found}{_refusals(refused.get(label, ()))}" for label, found in plan.small.items()]
    return (
        f"{len(plan.small)} class(es) are too small to be in train, validation and test; each needs at least "
        f"{least} {plan.unit}:\n"
        + "\n".join(lines)
        + f"\n{_advice(plan, refused)}, or drop these classes with --drop-small-classes"
    )


def _refusals(reasons: Sequence[str]) -> str:
    return f", and {len(reasons)} refused: {commonest(reasons)}" if reasons else ""


def _advice(plan: SplitPlan, refused: Mapping[str, Sequence[str]]) -> str:
    repair = any(refused.get(label) for label in plan.small)
    separate = ", say in groups.csv or by dataset.group_by_name: false that they are not of one recording"
    return ("Repair the refused clips, add clips" if repair else "Add clips") + (
        separate if plan.crowded else ""
    )


def tell(notes: Iterable[str]) -> None:
    """Show notes on a terminal, long ones cut."""
    for note in notes:
        emit("notice", message=shorten(note, LONGEST_NOTICE, placeholder=" ... (see dataset.json)"))


def _check_classes_left(labels: Collection[str], small: dict[str, str]) -> None:
    left = sorted(set(labels) - set(small))
    if small:
        emit("notice", message=f"classes dropped as too small: {', '.join(small)}")
    if len(left) < 2:
        raise DataError(_explain_few(left, list(small)))


def _explain_few(left: Sequence[str], small: Sequence[str]) -> str:
    found = f"found {left[0]!r} alone" if left else "found none"
    dropped = f", and {some_of(small, SHOWN)} too small" if small else ""
    return (
        f"a classifier needs two classes or more; {found}{dropped}: add a folder of clips for another class, "
        "or list the clips with their labels in groups.csv (path,label,group)"
    )
