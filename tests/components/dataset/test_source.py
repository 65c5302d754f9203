"""Which files are clips, and what groups.csv may say."""

import os

import pytest

from components.dataset.source import FoundClip, find_clips
from reelflow.errors import DataError
from reelflow.progress import watched_by


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def paths_of(root):
    return [clip_file.path for clip_file in find_clips(root)[0]]


def write_groups(root, text):
    (root / "groups.csv").write_bytes(text.encode())


def test_class_folders_give_labels_and_clips_their_own_groups(tmp_path):
    touch(tmp_path, "b/2.mp4", "a x/1.mp4", "a x/deeper/3.avi", "クラス/ク\nリップ.mp4")
    with watched_by((notices := []).append):
        found, rejected = find_clips(tmp_path)
    assert found == [
        FoundClip("a x/1.mp4", "a x", "a x/1.mp4"),
        FoundClip("a x/deeper/3.avi", "a x", "a x/deeper/3.avi"),
        FoundClip("b/2.mp4", "b", "b/2.mp4"),
        FoundClip("クラス/ク\nリップ.mp4", "クラス", "クラス/ク\nリップ.mp4"),
    ]
    assert rejected == []
    assert "4 of 4 clips are groups of their own" in notices[0]["message"]


def test_ucf101_s_names_give_groups(tmp_path):
    touch(tmp_path, "YoYo/v_YoYo_g07_c02.avi", "YoYo/v_YoYo_g11_c01.avi")
    assert [clip_file.group for clip_file in find_clips(tmp_path)[0]] == ["YoYo_g07", "YoYo_g11"]


def test_what_is_no_clip_by_name_is_left_aside(tmp_path):
    touch(
        tmp_path,
        "a/1.mp4",
        "a/.DS_Store",
        "a/notes.txt",
        "a/still.JPG",
        ".git/x.mp4",
        "readme.mp4",
        "b/labels.csv",
    )
    with watched_by((notices := []).append):
        assert paths_of(tmp_path) == ["a/1.mp4"]
    assert "3 file(s) ignored" in notices[0]["message"]


def test_names_that_are_no_utf8_are_left_out(tmp_path):
    touch(tmp_path, "a/1.mp4")
    (tmp_path / "a" / os.fsdecode(b"bad\xff.mp4")).touch()
    found, (rejected,) = find_clips(tmp_path)
    assert [clip_file.path for clip_file in found] == ["a/1.mp4"]
    assert rejected.path == "a/bad\\xff.mp4"
    assert "UTF-8" in rejected.reason


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_groups_csv_gives_labels_and_groups(tmp_path, line_end, mark):
    touch(tmp_path, "x/1.mp4", "x/2, ä.mp4")
    lines = [mark + "path,label,group,remark", "x/1.mp4,walk,g1,", '"x/2, ä.mp4",run,g2,nice', ""]
    write_groups(tmp_path, line_end.join(lines))
    assert find_clips(tmp_path) == (
        [FoundClip("x/1.mp4", "walk", "g1"), FoundClip("x/2, ä.mp4", "run", "g2")],
        [],
    )


def test_files_that_groups_csv_does_not_list_are_left_out(tmp_path):
    touch(tmp_path, "x/1.mp4", "x/2.mp4")
    write_groups(tmp_path, "path,label,group\nx/1.mp4,walk,g1\n")
    found, (rejected,) = find_clips(tmp_path)
    assert [clip_file.path for clip_file in found] == ["x/1.mp4"]
    assert (rejected.path, rejected.reason) == ("x/2.mp4", "it is not listed in groups.csv")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has the columns None; expected path, label, group"),
        ("path,label\nx/1.mp4,a\n", "expected path, label, group"),
        ("path,label,group\nx/1.mp4,a\n", "line 2"),
        ("path,label,group\nx/1.mp4,,g\n", "line 2"),
        ("path,label,group\n../1.mp4,a,g\n", "is outside of the folder"),
        ("path,label,group\n/etc/passwd,a,g\n", "is outside of the folder"),
        ("path,label,group\nx/1.mp4,a,g\nx/1.mp4,b,g\n", "line 3: x/1.mp4 is listed twice"),
        ("path,label,group\n", "holds no clips"),
        ("path,label,group\nx/\0.mp4,a,g\n", "is not a path: it has a zero byte"),
    ],
)
def test_a_wrong_groups_csv_is_an_error_that_says_where(tmp_path, text, said):
    touch(tmp_path, "x/1.mp4")
    write_groups(tmp_path, text)
    with pytest.raises(DataError, match=said.replace(".", r"\.")):
        find_clips(tmp_path)


def test_a_groups_csv_in_another_encoding_is_an_error(tmp_path):
    touch(tmp_path, "x/1.mp4")
    (tmp_path / "groups.csv").write_bytes("path,label,group\nx/ä.mp4,a,g\n".encode("latin-1"))
    with pytest.raises(DataError, match="not a CSV file in UTF-8"):
        find_clips(tmp_path)


def test_a_groups_csv_that_is_no_file_is_never_passed_over(tmp_path):
    touch(tmp_path, "x/1.mp4")
    (tmp_path / "groups.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match="not a readable file"):
        find_clips(tmp_path)


def test_folders_without_clips_are_errors(tmp_path):
    with pytest.raises(DataError, match="is not a folder"):
        find_clips(tmp_path / "missing")
    with pytest.raises(DataError, match="holds no clips"):
        find_clips(tmp_path)
    touch(tmp_path, "1.mp4")
    (tmp_path / "empty class").mkdir()
    with pytest.raises(DataError, match="holds no clips"):
        find_clips(tmp_path)
