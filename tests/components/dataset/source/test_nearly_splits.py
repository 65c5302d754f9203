"""Folders that seem to be splits and are not called so are not passed over; lookalike letters are told."""

import pytest

from components.dataset.source.clips import Reading, find_clips
from components.dataset.source.labels import check_twins
from components.dataset.source.layout import read_layout
from reelflow.errors import DataError
from tests.components.dataset.source.files import touch


def layout_of(*splits, **reading):
    paths = [
        f"{split}/{label}/{number}.mp4" for split in splits for label in ("walk", "run") for number in "12"
    ]
    return read_layout(paths, reading.get("label_folder", "only"))


@pytest.mark.parametrize("names", [("trn", "tst"), ("train", "holdout"), ("TRN", "val", "Holdout")])
def test_short_names_of_splits_are_known(names):
    assert set(layout_of(*names).splits.values()) >= {"train", "test"}


NEARLY = [
    ("01_train", "02_test"),
    ("train_80", "test_20"),
    ("UCF-101_train", "UCF-101_test"),
    ("train1", "train2"),
    ("Train", "Validierung"),
    ("train", "test1", "test2"),
]


@pytest.mark.parametrize("names", NEARLY)
def test_what_seems_to_be_a_split_is_told_with_the_names_to_give(names):
    with pytest.raises(DataError) as refused:
        layout_of(*names)
    assert "are splits, call all such folders train, val or test" in str(refused.value)
    assert names[-1] in str(refused.value).partition(". If ")[2]


@pytest.mark.parametrize("names", NEARLY)
def test_where_the_class_is_said_a_split_that_is_not_read_is_a_note(names):
    layout = layout_of(*names, label_folder="parent")
    assert (set(layout.labels.values()), layout.splits) == ({"walk", "run"}, {})
    assert "are not read as splits: call them train, val or test" in layout.notes[-1]


@pytest.mark.parametrize("names", [("monday", "tuesday"), ("trainstation", "contest"), ("person1", "latest")])
def test_other_words_are_no_splits(names):
    assert layout_of(*names, label_folder="parent").notes == ()


@pytest.mark.parametrize(
    "twins",
    [("abc", "\u0430bc"), ("Copy", "\u0421opy"), ("TAXI", "\u03a4AXI"), ("HAM", "\u041d\u0410\u041c")],
)
def test_letters_that_look_alike_make_near_twins(twins):
    with pytest.raises(DataError, match=r"1 label\(s\) are written in several ways"):
        check_twins(dict.fromkeys(twins, "clip"))


def test_other_words_of_another_alphabet_are_other_classes():
    check_twins(dict.fromkeys(("\u0431\u0435\u0433", "\u0445\u043e\u0434\u044c\u0431\u0430", "beg"), "clip"))


def test_folders_below_the_classes_that_may_be_recordings_are_said(tmp_path):
    touch(tmp_path, *(f"{label}/{day}/{name}.mp4" for label in "ab" for day in ("d1", "d2") for name in "xy"))
    notes = find_clips(tmp_path, Reading(label_folder="top")).notes
    assert "4 folder(s) below those of the classes hold several clips, such as a/d1" in notes[-1]
    assert not [
        note for note in find_clips(tmp_path, Reading(label_folder="parent")).notes if "below" in note
    ]
