"""Groups never straddle a cut, and every class is in every split."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelflow.errors import DataError
from reelflow.splitting.splits import Member, split_by_group

FRACTIONS = {"train": 0.62, "validation": 0.1, "test": 0.28}
group_sizes = st.lists(st.integers(1, 6), min_size=3, max_size=12)
classes_of_group_sizes = st.lists(group_sizes, min_size=1, max_size=6)


def members_of(classes: list[list[int]]) -> list[Member]:
    """Groups of their own for each class, of the given sizes."""
    return [
        Member(f"{label}/{group}/{clip}", f"class {label}", f"{label}/{group}")
        for label, sizes in enumerate(classes)
        for group, size in enumerate(sizes)
        for clip in range(size)
    ]


def mixed_members(classes: int, groups: int, clips: int) -> list[Member]:
    """Groups that hold every class."""
    return [
        Member(f"{label}/{group}/{clip}", f"class {label}", f"{group}")
        for label in range(classes)
        for group in range(groups)
        for clip in range(clips)
    ]


def check(members, splits, fractions=FRACTIONS):
    assert splits.keys() == {member.path for member in members}
    assert len({(member.group, splits[member.path]) for member in members}) == len(
        {member.group for member in members}
    ), "a group straddles"
    found = {(member.label, splits[member.path]) for member in members}
    assert found == {(member.label, split) for member in members for split in fractions}


@settings(deadline=None, max_examples=40)
@given(classes_of_group_sizes, st.integers(0, 100))
def test_groups_of_one_class_each(classes, seed):
    members = members_of(classes)
    check(members, split_by_group(members, FRACTIONS, seed))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 6), st.integers(3, 12), st.integers(1, 4), st.integers(0, 100))
def test_groups_that_hold_every_class(classes, groups, clips, seed):
    members = mixed_members(classes, groups, clips)
    check(members, split_by_group(members, FRACTIONS, seed))


def test_the_fractions_are_met_for_every_class():
    members = members_of([[4, 5, 4, 6, 5, 7, 4, 4, 5, 6] * 3] * 4)
    splits = split_by_group(members, FRACTIONS, 1)
    check(members, splits)
    for label in {member.label for member in members}:
        of_class = [splits[member.path] for member in members if member.label == label]
        for split, fraction in FRACTIONS.items():
            assert of_class.count(split) / len(of_class) == pytest.approx(fraction, abs=0.02)


def test_groups_of_the_study_s_size_are_cut_in_seconds():
    members = members_of([[5] * 25] * 101)
    splits = split_by_group(members, FRACTIONS, 1)
    check(members, splits)
    counts = Counter(splits.values())
    assert counts["test"] / len(members) == pytest.approx(0.28, abs=0.01)


def test_the_seed_and_nothing_else_decides():
    members = mixed_members(3, 12, 2)
    assert split_by_group(members, FRACTIONS, 5) == split_by_group(members[::-1], FRACTIONS, 5)
    others = [split_by_group(members, FRACTIONS, seed) for seed in range(5)]
    assert any(other != others[0] for other in others)


def test_what_cannot_be_split_is_named():
    only_two = [Member("a1", "a", "1"), Member("a2", "a", "2")]
    members = [*members_of([[2, 2, 2]]), *only_two]
    with pytest.raises(DataError, match=r"no split by group.*\n  a: none in (train|validation|test)\n"):
        split_by_group(members, FRACTIONS, 1)
