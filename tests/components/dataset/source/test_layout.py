"""What folders say: a class, a split, or something that must be asked."""

import pytest

from components.dataset.source.layout import given_splits, read_layout
from reelflow.errors import DataError

SPLITS = ("train", "val", "test")


def split_layout(*splits, classes=("grow", "shrink")):
    return [f"{split}/{label}/{number}.mp4" for split in splits for label in classes for number in range(2)]


@pytest.mark.parametrize(
    "names",
    [
        SPLITS,
        ("Train", "VALID", "Testing"),
        ("training", "dev", "test_set"),
        ("train_data", "validation", "test"),
        ("Training Set", "eval-set", "test videos"),
    ],
)
def test_split_folders_give_the_split_and_the_folder_below_the_class(names):
    paths = split_layout(*names)
    layout = read_layout(paths, "only")
    assert set(layout.labels.values()) == {"grow", "shrink"}
    assert [layout.splits[f"{name}/grow/0.mp4"] for name in names] == ["train", "validation", "test"]
    assert "give the split (4 train, 4 validation, 4 test)" in layout.notes[0]


def test_split_folders_below_classes_are_recognised():
    paths = [f"{label}/{split}/1.mp4" for label in ("grow", "shrink") for split in SPLITS]
    layout = read_layout(paths, "only")
    assert layout.labels == {path: path.split("/")[0] for path in paths}
    assert layout.splits["shrink/val/1.mp4"] == "validation"


def test_without_val_validation_comes_from_train_and_without_test_val_is_the_test():
    assert set(read_layout(split_layout("train", "test"), "only").splits.values()) == {"train", "test"}
    layout = read_layout(split_layout("train", "val"), "only")
    assert layout.splits["val/grow/0.mp4"] == "test"
    assert "there is no test folder" in layout.notes[1]


def test_one_split_folder_is_split_anew():
    layout = read_layout(split_layout("train"), "only")
    assert (set(layout.labels.values()), layout.splits) == ({"grow", "shrink"}, {})
    assert "only split folder" in layout.notes[0]


def test_clips_beside_the_classes_of_a_split_are_stray():
    layout = read_layout([*split_layout(*SPLITS), "train/lost.mp4", "lost.mp4"], "only")
    assert layout.stray == ("train/lost.mp4", "lost.mp4")


@pytest.mark.parametrize("bare", ["test", "val"])
def test_a_split_whose_clips_have_no_class_is_none(bare):
    layout = read_layout([*split_layout("train"), f"{bare}/1.mp4", f"{bare}/2.mp4"], "only")
    assert (set(layout.labels.values()), layout.splits) == ({"grow", "shrink"}, {})
    assert layout.stray == (f"{bare}/1.mp4", f"{bare}/2.mp4")
    assert layout.notes == ("train is the only split folder: its clips are split anew",)


def test_clips_without_a_class_are_not_counted_in_their_split():
    layout = read_layout([*split_layout("train", "test"), "val/1.mp4"], "only")
    assert "(4 train, 4 test)" in layout.notes[0]
    assert "there is no val folder" in layout.notes[1]


@pytest.mark.parametrize(
    "path", ["train/{label}/1.mp4", "{label}/train/1.mp4"], ids=["above classes", "below classes"]
)
def test_splits_of_listed_clips_are_found_at_both_levels(path):
    paths = [path.format(label=label) for label in ("a", "b")]
    paths += [one.replace("train", "test") for one in paths]
    assert given_splits(paths)[0] == {one: "train" if "train" in one else "test" for one in paths}


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (
            ["p1/grow/1.mp4", "p2/shrink/1.mp4"],
            ["top: 2 class(es): p1, p2", "parent: 2 class(es): grow, shrink"],
        ),
        (["UCF/a/1.mp4", "UCF/b/1.mp4"], ["top: 1 class(es): UCF", "parent: 2 class(es): a, b"]),
        (
            ["a/1.mp4", "b/day1/1.mp4"],
            ["top: 2 class(es): a, b", "parent: 2 class(es): a, day1", "b/day1/1.mp4"],
        ),
        (["x/y/z/1.mp4", "x/1.mp4"], ["parent: 2 class(es): x, z"]),
        ([*split_layout(*SPLITS), "extra/grow/1.mp4"], ["would be splits if every folder", "found extra"]),
        ([*split_layout(*SPLITS), "train/grow/day/1.mp4"], ["parent: 3 class(es): day, grow, shrink"]),
        (["a/train/1.mp4", "b/train/1.mp4"], ["top: 2 class(es): a, b"]),
        (["train/1.mp4", "test/2.mp4"], ["called like splits", "groups.csv", "--label-folder parent"]),
        (["train/1.mp4", "evaluation/2.mp4"], ["evaluation, train are called like splits"]),
        (split_layout("val", "test"), ["found the split folders test, val, and no train"]),
    ],
)
def test_what_is_not_certain_is_an_error_with_the_readings(paths, said):
    with pytest.raises(DataError) as refused:
        read_layout(paths, "only")
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize(("choice", "labels"), [("top", {"a", "b"}), ("parent", {"a", "day1"})])
def test_the_option_chooses(choice, labels):
    layout = read_layout(["a/1.mp4", "b/day1/1.mp4"], choice)
    assert set(layout.labels.values()) == labels


def test_the_option_works_below_split_folders_and_makes_them_classes_where_they_hold_clips():
    paths = [f"{split}/grow/day/1.mp4" for split in SPLITS]
    assert set(read_layout(paths, "top").labels.values()) == {"grow"}
    assert set(read_layout(["train/1.mp4", "test/2.mp4"], "parent").labels.values()) == {"train", "test"}
