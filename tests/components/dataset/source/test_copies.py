"""What an edit, an export or an augmentation appends makes no recording of its own."""

from time import process_time

import pytest

from components.dataset.source.copies import originals
from components.dataset.source.naming import groups_by_name


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("a", "a_flip"),
        ("a", "A-Flipped"),
        ("walk 1", "walk 1_rot90"),
        ("a", "a_aug_3"),
        ("a", "a_flip_slow"),
        ("a_x264", "a_x264_720p"),
        ("a", "a (1)"),
        ("a", "a - Copy"),
        ("a", "a - Copy (2)"),
        ("a", "a_proxy"),
        ("a", "a.h265"),
        ("a", "a_30fps"),
        ("a", "a~2"),
        ("IMG_1234", "IMG_E1234"),
        ("C0012", "C0012S03"),
        ("VID_20240105_100000_00_001", "LRV_20240105_100000_01_001"),
    ],
)
def test_a_copy_is_of_the_group_of_its_original(original, copy):
    paths = [f"walk/{original}.mp4", f"walk/{copy}.MOV", "walk/other.mp4", f"run/{copy}.mp4"]
    assert originals(paths) == {paths[1]: paths[0]}
    named = groups_by_name({path: path.split("/")[0] for path in paths})
    assert named.groups[paths[0]] == named.groups[paths[1]] != named.groups.get(paths[3], paths[3])
    assert "copies (2 clips in 1 groups)" in named.notes[0]


@pytest.mark.parametrize(
    "names",
    [
        ("walk_cut1", "walk_cut2", "walk_cut3"),
        ("walk (1)", "walk (2)"),
        ("flip", "crop"),
        ("slow", "slow walk"),
        ("IMG_E1234", "IMG_1235"),
        ("walk", "walking_slow", "walk_uphill"),
        ("Abuse001_x264", "Abuse002_x264"),
    ],
)
def test_names_without_an_original_are_no_copies(names):
    assert originals(f"a/{name}.mp4" for name in names) == {}


def test_copies_follow_their_original_into_its_group():
    names = ("v_Yo_g01_c01", "v_Yo_g01_c01_flip_2", "v_Yo_g01_c02", "rec7_1", "rec7_1_crop", "rec7_2")
    others = ("rec8_1", "rec9_1")
    labels = {f"yo/{name}.avi": "yo" for name in names + others}
    groups = groups_by_name(labels).groups
    assert {groups[f"yo/{name}.avi"] for name in names[:3]} == {"Yo_g01"}
    assert {groups[f"yo/{name}.avi"] for name in names[3:6]} == {"rec7"}


def test_another_format_of_a_clip_beside_a_copy_is_of_the_same_group():
    labels = dict.fromkeys(("a/x.mp4", "a/x.lrv", "a/x_flip.mp4", "a/y.mp4"), "a")
    groups = groups_by_name(labels).groups
    assert len({groups[path] for path in ("a/x.mp4", "a/x.lrv", "a/x_flip.mp4")}) == 1
    assert "a/y.mp4" not in groups


def test_many_and_long_names_take_their_time_once():
    labels = {f"a/{'x y_' * 20}{number}.mp4": "a" for number in range(5_000)}
    labels |= {f"a/{'(' * 100}{' ' * 100}{number}.mp4": "a" for number in range(500)}
    labels["a/x.mp4"] = labels["a/x_flip.mp4"] = "a"
    begun = process_time()
    assert groups_by_name(labels).groups.keys() >= {"a/x.mp4", "a/x_flip.mp4"}
    assert process_time() - begun < 20
