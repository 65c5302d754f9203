"""Which files are clips, and what a folder without any says."""

import pytest

from components.dataset.source.clips import FoundClip, Reading, find_clips
from reelflow.errors import DataError
from tests.components.dataset.source.files import touch, write_groups


def test_class_folders_give_labels_and_clips_their_own_groups(tmp_path):
    touch(tmp_path, "b/2.mp4", "a x/1.mp4", "クラス/ク\nリップ.mp4")
    found = find_clips(tmp_path, Reading())
    assert found.clips == (
        FoundClip("a x/1.mp4", "a x", "a x/1.mp4"),
        FoundClip("b/2.mp4", "b", "b/2.mp4"),
        FoundClip("クラス/ク\nリップ.mp4", "クラス", "クラス/ク\nリップ.mp4"),
    )
    assert found.rejected == ()
    assert "3 of 3 clips are groups of their own" in found.notes[0]


def test_names_give_groups_unless_told_otherwise(tmp_path):
    touch(tmp_path, "YoYo/v_YoYo_g07_c02.avi", "YoYo/v_YoYo_g07_c01.avi")
    by_name, by_clip = (find_clips(tmp_path, Reading(group_by_name=choice)) for choice in (True, False))
    assert [clip.group for clip in by_name.clips] == ["YoYo_g07", "YoYo_g07"]
    assert by_name.notes == ("groups by the clips' names: UCF101 (2 clips in 1 groups)",)
    assert [clip.group for clip in by_clip.clips] == [clip.path for clip in by_clip.clips]


def test_labels_are_cleaned_and_folders_that_then_agree_are_one_class(tmp_path):
    touch(tmp_path, "grow/1.mp4", "grow /2.mp4", "cafe\u0301/3.mp4", "\u200b/4.mp4")
    found = find_clips(tmp_path, Reading())
    assert {clip.path: clip.label for clip in found.clips} == {
        "grow/1.mp4": "grow",
        "grow /2.mp4": "grow",
        "cafe\u0301/3.mp4": "caf\u00e9",
    }
    assert [one.path for one in found.rejected] == ["\u200b/4.mp4"]
    assert "instead of 'cafe\\u0301', 'grow '" in " ".join(found.notes)


def test_near_twins_are_an_error_with_both_names(tmp_path):
    touch(tmp_path, "Grow/1.mp4", "grow/2.mp4", "shrink/3.mp4")
    with pytest.raises(DataError, match=r"'Grow' \(Grow/1\.mp4\) and 'grow' \(grow/2\.mp4\)"):
        find_clips(tmp_path, Reading())


def test_clips_outside_of_class_folders_are_left_out_with_a_reason(tmp_path):
    touch(tmp_path, "a/1.mp4", "b/2.mp4", "3.mp4")
    (rejected,) = find_clips(tmp_path, Reading()).rejected
    assert (rejected.path, rejected.reason) == ("3.mp4", "it is in no class folder: move it into one")


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ((), "holds no clips: expected"),
        (("empty class/notes.txt",), "left out: 1 the folder holds no clips"),
        (("1.mp4",), "holds 1 clip(s) and no class folders"),
        (("1.mp4", "labels.csv"), "groups.csv beside the clips (path,label,group) does it without folders"),
        (("1.mp4", "labels.csv"), "rename labels.csv and its columns so"),
    ],
)
def test_folders_without_clips_say_what_to_do(tmp_path, paths, said):
    touch(tmp_path, *paths)
    with pytest.raises(DataError) as refused:
        find_clips(tmp_path, Reading())
    assert said in str(refused.value)


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        find_clips(tmp_path / "missing", Reading())


def test_a_flat_folder_needs_groups_csv_alone(tmp_path):
    touch(tmp_path, "1.mp4", "2.mp4", "3.mp4")
    write_groups(tmp_path, "path,label,group\n1.mp4,walk,g1\n2.mp4,run,g2\n")
    found = find_clips(tmp_path, Reading())
    assert found.clips == (FoundClip("1.mp4", "walk", "g1"), FoundClip("2.mp4", "run", "g2"))
    assert [(one.path, one.reason) for one in found.rejected] == [("3.mp4", "it is not listed in groups.csv")]


@pytest.mark.parametrize(
    "name", ["Groups.csv", "groups.CSV", "group.csv", "groups.csv.txt", "groups.tsv", "groups.csv "]
)
def test_a_table_that_is_nearly_called_groups_csv_is_not_passed_over(tmp_path, name):
    touch(tmp_path, "a/1.mp4", "b/2.mp4", name)
    with pytest.raises(DataError) as refused:
        find_clips(tmp_path, Reading())
    assert f"{tmp_path / name} is not read: rename it to groups.csv" in str(refused.value)
    write_groups(tmp_path, "path,label,group\na/1.mp4,a,g1\nb/2.mp4,b,g2\n")
    assert [clip.group for clip in find_clips(tmp_path, Reading()).clips] == ["g1", "g2"]


def test_labels_of_groups_csv_are_cleaned_like_those_of_folders(tmp_path):
    touch(tmp_path, "1.mp4", "2.mp4", "3.mp4")
    write_groups(tmp_path, "path,label,group\n1.mp4, grow,g \n2.mp4,grow ,g\n3.mp4,shrink,h\n")
    found = find_clips(tmp_path, Reading())
    assert [(clip.label, clip.group) for clip in found.clips] == [
        ("grow", "g"),
        ("grow", "g"),
        ("shrink", "h"),
    ]
    write_groups(tmp_path, "path,label,group\n1.mp4,grow,g\n2.mp4,GROW,g\n3.mp4,shrink,h\n")
    with pytest.raises(DataError, match=r"'GROW' .* and 'grow'"):
        find_clips(tmp_path, Reading())


def test_groups_that_are_written_in_several_ways_are_said(tmp_path):
    touch(tmp_path, "1.mp4", "2.mp4", "3.mp4", "4.mp4")
    write_groups(tmp_path, "path,label,group\n1.mp4,a,Rec1\n2.mp4,b,rec 1\n3.mp4,a,12\n4.mp4,b,1-2\n")
    assert find_clips(tmp_path, Reading()).notes == (
        "1 group(s) are written in several ways, each a group of its own: 'Rec1' and 'rec 1'",
    )


def test_split_folders_count_beside_groups_csv(tmp_path):
    touch(tmp_path, "train/1.mp4", "val/2.mp4", "test/3.mp4")
    write_groups(tmp_path, "path,label,group\ntrain/1.mp4,a,g\nval/2.mp4,b,h\ntest/3.mp4,a,i\n")
    assert find_clips(tmp_path, Reading()).splits == {
        "train/1.mp4": "train",
        "val/2.mp4": "validation",
        "test/3.mp4": "test",
    }
