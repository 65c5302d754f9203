"""Protocols: every clip is tested as promised, and no group stands on two sides of a cut."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reelflow.contracts import Clip
from reelflow.errors import DataError, ParamsError
from reelflow.splitting.protocols import Protocol, make_folds, read_protocol
from tests import fake_features as fake

FORMS = [
    "holdout",
    "leave_one_group_out",
    "group_kfold(5)",
    "group_kfold(3, seed=7)",
    "cross_set(set1)",
    "cross_set(a b)",
]
WRONG = [
    *("", "kfold(5)", "group_kfold", "group_kfold(1)", "group_kfold(2000)", "group_kfold(five)"),
    *("cross_set()", "holdout(3)", "leave_one_group_out(2)", "cross_set(a)b", "group_kfold(5, seed=-1)"),
]


def clips_of(groups: dict[str, int], labels: tuple[str, ...] = ("a", "b")) -> list[Clip]:
    """Clips of every label in every group, that many each; one group in ten validates."""
    found = []
    for label in labels:
        for place, (group, count) in enumerate(groups.items()):
            for number in range(count):
                split = "validation" if place % 10 == 0 else "train"
                one = fake.clip(label, split, len(found))
                found.append(one.model_copy(update={"group": group, "path": f"{label}/{group}/{number}"}))
    return found


@pytest.mark.parametrize("text", FORMS)
def test_what_is_written_is_read_again(text):
    assert str(Protocol.parse(text)) == text
    assert Protocol.parse(str(Protocol.parse(text))) == Protocol.parse(text)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_protocol_is_refused_with_what_is_expected(text):
    with pytest.raises(ValueError, match="expected holdout, leave_one_group_out"):
        Protocol.parse(text)


def test_a_step_is_told_which_value_is_wrong():
    assert read_protocol("group_kfold(5)") == Protocol.parse("group_kfold(5)")
    with pytest.raises(ParamsError, match=r"evaluation\.protocol: found 'kfold'"):
        read_protocol("kfold")


group_sizes = st.lists(st.integers(1, 5), min_size=6, max_size=15)


@settings(max_examples=30, deadline=None)
@given(group_sizes, st.integers(3, 5), st.integers(1, 3))  # of two folds one may be a single large group
def test_k_folds_test_every_clip_once_and_tear_no_group(sizes, k, seed):
    clips = clips_of({f"group{place:02}": size for place, size in enumerate(sizes)})
    folds = make_folds(clips, Protocol("group_kfold", folds=k, seed=seed))
    assert len(folds) == k
    check(folds, clips)


@settings(max_examples=20, deadline=None)
@given(group_sizes)
def test_leaving_one_group_out_tests_every_group_once(sizes):
    clips = clips_of({f"group{place:02}": size for place, size in enumerate(sizes)})
    folds = make_folds(clips, Protocol("leave_one_group_out"))
    assert [{clip.group for clip in fold.test} for fold in folds] == [{fold.name} for fold in folds]
    check(folds, clips)


def check(folds, clips) -> None:
    assert Counter(clip.clip_id for fold in folds for clip in fold.test) == Counter(c.clip_id for c in clips)
    for fold in folds:
        parts = (fold.train, fold.validation, fold.test)
        assert sum(map(len, parts)) == len(clips)
        groups = [{clip.group for clip in part} for part in parts]
        assert not groups[0] & groups[1]
        assert not groups[2] & (groups[0] | groups[1])
        assert all({clip.label for clip in part} == {"a", "b"} for part in parts[:2])


def test_the_same_clips_give_the_same_folds_and_another_seed_others():
    clips = clips_of({f"group{place:02}": 2 for place in range(12)})
    protocol = Protocol("group_kfold", folds=4)
    again = make_folds(clips[::-1], protocol)
    for one, other in zip(make_folds(clips, protocol), again, strict=True):
        assert {clip.group for clip in one.test} == {clip.group for clip in other.test}
    others = make_folds(clips, Protocol("group_kfold", folds=4, seed=2))
    assert {c.group for c in others[0].test} != {c.group for c in again[0].test}


def test_a_cross_set_trains_on_one_set_and_tests_on_the_other():
    clips = clips_of({f"set{1 + place % 2}_{place}": 2 for place in range(10)})
    (fold,) = make_folds(clips, Protocol("cross_set", prefix="set1"))
    assert {clip.group[:4] for clip in fold.train + fold.validation} == {"set1"}
    assert {clip.group[:4] for clip in fold.test} == {"set2"}
    assert len(fold.test) == 20


def test_a_small_set_to_train_on_keeps_half_to_train():
    clips = clips_of({f"{'small' if place < 6 else 'large'}{place}": 2 for place in range(60)})
    (fold,) = make_folds(clips, Protocol("cross_set", prefix="small"))
    assert sum(clip.split == "validation" for clip in clips) == len(fold.train) + len(fold.validation)
    assert len(fold.train) == len(fold.validation) == 12


def test_holdout_is_the_cut_of_the_dataset_step():
    clips = fake.make_clips(("down", "up"), fake.COUNTS)
    (fold,) = make_folds(clips, Protocol("holdout"))
    for split in ("train", "validation", "test"):
        assert {clip.split for clip in getattr(fold, split)} == {split}


@pytest.mark.parametrize(
    ("protocol", "groups", "message"),
    [
        ("group_kfold(5)", 4, "needs 5 groups"),
        ("leave_one_group_out", 2, "needs 3 groups"),
        ("group_kfold(2)", 2, "fewer than two groups are left of a, b"),
        ("cross_set(other)", 6, "0 of 6 groups begin with 'other'"),
        ("cross_set(group)", 6, "6 of 6 groups begin with 'group'"),
    ],
)
def test_too_few_groups_are_explained(protocol, groups, message):
    clips = clips_of({f"group{place}": 3 for place in range(groups)})
    with pytest.raises(DataError, match=message):
        make_folds(clips, Protocol.parse(protocol))


def test_a_class_that_would_have_nothing_left_to_train_on_is_named():
    clips = clips_of({f"group{place}": 2 for place in range(5)})
    rare = [clip for clip in clips if clip.label == "a" or clip.group in ("group0", "group1")]
    with pytest.raises(DataError, match="fewer than two groups are left of b"):
        make_folds(rare, Protocol("leave_one_group_out"))
