"""The cut that params ask for: by group or clip by clip, over all clips or within given lists."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from components.dataset.lists import read_lists
from components.dataset.split import Member, split_by_group
from reelflow.contracts import SPLITS, Rejected, Split
from reelflow.errors import DataError
from reelflow.params import DatasetParams
from reelflow.progress import emit


@dataclass(frozen=True)
class Cut:
    """Which clips stay, and where: `splits` by the clip's path."""

    splits: dict[str, Split]
    dropped_classes: tuple[str, ...]
    rejected: tuple[Rejected, ...]


def cut(members: Sequence[Member], labels: Collection[str], params: DatasetParams) -> Cut:
    """Split the clips; classes that are too small are dropped if params say so.

    Args:
        members: the usable clips.
        labels: all classes, also those without a usable clip.
        params: fractions, lists, seed.

    Raises:
        DataError: a class is too small, or fewer than two classes are left.
        ParamsError: a list cannot be read.
    """
    given = read_lists(params.split_lists) if params.split_lists else {}
    listed = [member for member in members if not given or member.path in given]
    unlisted = [member.path for member in members if given and member.path not in given]
    rejected = [Rejected(path=path, reason="it is in neither split list") for path in unlisted]
    parts = _parts(listed, given)
    needed = {"train": 2, "test": 1} if given else {"all": 3}
    small = _too_small(parts, labels, needed, params)
    if small and not params.drop_small_classes:
        raise DataError(_explain(small, needed, params))
    for name in parts:
        parts[name] = [member for member in parts[name] if member.label not in small]
    _check_classes_left(labels, small)
    splits = _cut_train(parts, params) if given else _split(parts["all"], _fractions(params), params)
    return Cut(splits, tuple(small), tuple(rejected))


def _parts(members: Sequence[Member], given: dict[str, Split]) -> dict[str, list[Member]]:
    """All clips, or the given train and test clips."""
    if not given:
        return {"all": list(members)}
    parts = {name: [member for member in members if given[member.path] == name] for name in ("train", "test")}
    straddling = {m.group for m in parts["train"]} & {m.group for m in parts["test"]}
    if straddling:
        emit("notice", message=f"{len(straddling)} group(s) stand in both lists: their clips may leak")
    return parts


def _fractions(params: DatasetParams) -> dict[Split, float]:
    train = 1 - params.validation - params.test
    return dict(zip(SPLITS, (train, params.validation, params.test), strict=True))


def _cut_train(parts: dict[str, list[Member]], params: DatasetParams) -> dict[str, Split]:
    """Validation clips out of the given train clips; the fraction counts all clips."""
    train, test = parts["train"], parts["test"]
    validation = params.validation * (len(train) + len(test)) / len(train)
    if validation >= 1:
        raise DataError(
            f"dataset.validation, {params.validation} of all clips, leaves nothing of the train list"
        )
    splits = _split(train, {"train": 1 - validation, "validation": validation}, params)
    return {**splits, **{member.path: "test" for member in test}}


def _split(
    members: Sequence[Member], fractions: dict[Split, float], params: DatasetParams
) -> dict[str, Split]:
    if params.split == "random":
        members = [replace(member, group=member.path) for member in members]
    return split_by_group(members, fractions, params.seed)


def _too_small(
    parts: dict[str, list[Member]], labels: Collection[str], needed: dict[str, int], params: DatasetParams
) -> dict[str, str]:
    """Classes that cannot be in every split, and what they have."""
    small: dict[str, list[str]] = defaultdict(list)
    for name, least in needed.items():
        groups: defaultdict[str, list[str]] = defaultdict(list)
        for member in parts[name]:
            groups[member.label].append(member.group)
        for label in sorted(labels):
            clips, distinct = len(groups[label]), len(set(groups[label]))
            if (clips if params.split == "random" else distinct) < least:
                where = "" if name == "all" else f" in the {name} list"
                small[label].append(f"{clips} clip(s) in {distinct} group(s){where}")
    return {label: "; ".join(small[label]) for label in sorted(small)}


def _explain(small: dict[str, str], needed: dict[str, int], params: DatasetParams) -> str:
    unit = "clips" if params.split == "random" else "groups"
    least = " and ".join(
        f"{count}" + ("" if name == "all" else f" in {name}") for name, count in needed.items()
    )
    lines = [f"  {label}: {found}" for label, found in small.items()]
    return (
        f"{len(small)} class(es) are too small to be in train, validation and test; each needs at least "
        f"{least} {unit}:\n"
        + "\n".join(lines)
        + "\nAdd clips, or drop these classes with --drop-small-classes"
    )


def _check_classes_left(labels: Collection[str], small: dict[str, str]) -> None:
    left = sorted(set(labels) - set(small))
    if small:
        emit("notice", message=f"classes dropped as too small: {', '.join(small)}")
    if len(left) < 2:
        raise DataError(f"a classifier needs two classes or more; found {left}, too small: {list(small)}")
