"""groups.csv as people and spreadsheets write it, and the errors that say what to write."""

import unicodedata

import pytest

from components.dataset.source.groups_csv import Row, read_groups
from reelflow.errors import DataError
from tests.components.dataset.source.files import write_groups

FILES = {"x/1.mp4", "x/2, ä.mp4"}
ROWS = [Row("x/1.mp4", "walk", "g1"), Row("x/2, ä.mp4", "run", "g2")]


def read(root, text, files=FILES):
    write_groups(root, text)
    return read_groups(root, files)


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_labels_and_groups_of_any_spreadsheet(tmp_path, line_end, mark, delimiter):
    lines = [
        (f"{mark}path", "label", "group", "remark"),
        ("x/1.mp4", "walk", "g1", ""),
        ('"x/2, ä.mp4"', "run", "g2", "nice"),
        ("", "", "", ""),
        ("",),
    ]
    assert read(tmp_path, line_end.join(map(delimiter.join, lines))) == ROWS


@pytest.mark.parametrize(
    "path",
    [
        "x\\1.mp4",
        "./x/1.mp4",
        ".\\x\\1.mp4",
        "x//1.mp4",
        " x/1.mp4 ",
        "{root}/x/1.mp4",
        "{link}/x/1.mp4",
    ],
)
def test_other_spellings_of_a_path_are_taken(tmp_path, path):
    root = tmp_path / "clips"
    root.mkdir()
    (tmp_path / "link").symlink_to(root)
    path = path.format(root=root, link=tmp_path / "link")
    write_groups(root, f"Path, LABEL ,group\n{path},walk,g1\n")
    assert read_groups(tmp_path / "link", FILES) == ROWS[:1]


def test_paths_in_another_unicode_form_are_taken(tmp_path):
    composed, apart = (unicodedata.normalize(form, "x/ä.mp4") for form in ("NFC", "NFD"))
    for listed, there in ((composed, apart), (apart, composed)):
        assert read(tmp_path, f"path,label,group\n{listed},a,g\n", {there}) == [Row(there, "a", "g")]


def test_a_listed_clip_that_is_missing_stays_for_quarantine(tmp_path):
    text = "path,label,group\nx/1.mp4,walk,g1\nx\\gone.mp4,walk,g1\n"
    assert [row.path for row in read(tmp_path, text)] == ["x/1.mp4", "x/gone.mp4"]


def test_a_name_with_a_backslash_is_that_file(tmp_path):
    assert read(tmp_path, "path,label,group\nx\\1.mp4,a,g\n", {"x\\1.mp4"}) == [Row("x\\1.mp4", "a", "g")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the columns of an empty file; path is not there"),
        (",,\n\n", "path is not there"),
        ("path,label\nx/1.mp4,a\n", "group is not there"),
        ("path,label,group,label\nx/1.mp4,a,g,b\n", "label is twice"),
        ("path,label,group\nx/1.mp4,a\n", "line 2: found ['x/1.mp4', 'a', '']"),
        ("path,label,group\n\nx/1.mp4,,g\n", "line 3"),
        ("path,label,group\nx/1.mp4,\u200b,g\n", "visible characters"),
        (
            "path,label,group\nx/2, ä.mp4,run,g2\n",
            "line 2: found 4 values, expected 3: put values that hold the separator in quotes",
        ),
        ("path,label,group\n../1.mp4,a,g\n", "is outside of the folder; paths must be inside it"),
        (
            "path,label,group\n/home/me/clips/x/1.mp4,a,g\n",
            "outside of the folder; paths must be inside it: write x/1.mp4",
        ),
        (
            "path,label,group\nC:\\clips\\x\\1.mp4,a,g\n",
            "outside of the folder; paths must be inside it: write x/1.mp4",
        ),
        ("path,label,group\nx/1.mp4,a,g\n.\\x\\1.mp4,b,g\n", "line 3: x/1.mp4 is listed twice"),
        ("path,label,group\nclips/1.mp4,a,g\n", "none of the 1 clips"),
        ("path,label,group\nx/\0.mp4,a,g\n", "is not a path: it has a zero byte"),
        ("path,label,group\nx/ä.mp4,a,g\n".encode("latin-1"), "not a CSV file in UTF-8"),
        ("path,label,group\n".encode("utf-16"), "not a CSV file in UTF-8"),
    ],
)
def test_a_wrong_table_is_an_error_that_says_where_and_what_to_write(tmp_path, text, said):
    with pytest.raises(DataError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)


def test_a_table_that_is_no_file_is_never_passed_over(tmp_path):
    (tmp_path / "groups.csv").symlink_to("gone.csv")
    with pytest.raises(DataError, match="not a readable file"):
        read_groups(tmp_path, FILES)
