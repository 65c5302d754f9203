"""groups.csv as Excel and pandas leave it: first lines, open quotes, more columns, other names."""

import pytest

from components.dataset.source.clips import Reading, find_clips
from components.dataset.source.groups_csv import Row, read_groups
from reelflow.errors import DataError
from tests.components.dataset.source.files import touch, write_groups

FILES = [f"x/{number}.mp4" for number in range(1, 5)]


def read(root, text):
    write_groups(root, text)
    return read_groups(root, FILES)


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=; ", "\ufeffsep=;"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_the_first_line_that_tells_excel_the_separator_is_taken(tmp_path, first, line_end):
    text = line_end.join([first, "path;label;group", "x/1.mp4;walk;g1", "x/2.mp4;run, slowly;g2", ""])
    assert read(tmp_path, text) == [Row("x/1.mp4", "walk", "g1"), Row("x/2.mp4", "run, slowly", "g2")]


def test_lines_count_from_the_first_one_of_the_file(tmp_path):
    with pytest.raises(DataError, match=r"line 4: found"):
        read(tmp_path, "sep=;\npath;label;group\nx/1.mp4;walk;g1\nx/2.mp4;;g2\n")


@pytest.mark.parametrize(
    ("open_line", "closing_line"),
    [
        ('x/1.mp4,"walk,g1', 'x/4.mp4,"walk,g4'),
        ('x/1.mp4,walk,"g1', 'x/4.mp4,walk,"g4'),
        ('"x/1.mp4,walk,g1', '"x/4.mp4,walk,g4'),
    ],
)
def test_a_quote_that_takes_rows_is_an_error_where_it_begins(tmp_path, open_line, closing_line):
    lines = ["path,label,group", open_line, "x/2.mp4,walk,g2", "x/3.mp4,walk,g3", closing_line, ""]
    with pytest.raises(DataError, match=r"line 2: .*line break.*close the quote") as refused:
        read(tmp_path, "\n".join(lines))
    assert len(str(refused.value).splitlines()) == 1


def test_a_path_that_holds_a_line_break_is_a_path(tmp_path):
    write_groups(tmp_path, 'path,label,group\n"x/1\n.mp4",walk,g1\n')
    assert read_groups(tmp_path, ["x/1\n.mp4"]) == [Row("x/1\n.mp4", "walk", "g1")]


@pytest.mark.parametrize("column", ["split", "Subset"])
def test_columns_that_are_not_read_are_said(tmp_path, column):
    touch(tmp_path, *FILES)
    write_groups(tmp_path, f"id,path,label,group,{column}\n1,x/1.mp4,a,g,train\n2,x/2.mp4,b,h,test\n")
    note = find_clips(tmp_path, Reading()).notes[0]
    assert note == (
        f"groups.csv: columns that are not read: id, {column.lower()}; "
        "split folders or dataset.split_lists give a split"
    )


def test_a_column_of_numbers_without_a_name_is_no_matter(tmp_path):
    touch(tmp_path, *FILES)
    write_groups(tmp_path, ",path,label,group\n0,x/1.mp4,a,g\n1,x/2.mp4,b,h\n")
    assert not [note for note in find_clips(tmp_path, Reading()).notes if "columns" in note]


def test_a_table_without_rows_says_so(tmp_path):
    touch(tmp_path, *FILES)
    write_groups(tmp_path, "path,label,group\n")
    with pytest.raises(DataError, match=r"groups\.csv lists no clips: write a line for each"):
        find_clips(tmp_path, Reading())


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("groups.xlsx", "save it as CSV in UTF-8, called groups.csv"),
        ("Groups.json", "save it as CSV in UTF-8, called groups.csv"),
        ("groups.csv.xlsx", "save it as CSV in UTF-8, called groups.csv"),
        ("groups.txt", "rename it to groups.csv"),
        ("groups (1).csv", "rename it to groups.csv"),
        ("groups - Copy.csv", "rename it to groups.csv"),
        ("Copy of groups.csv", "rename it to groups.csv"),
    ],
)
def test_a_file_of_groups_in_another_form_is_not_passed_over(tmp_path, name, advice):
    touch(tmp_path, "a/1.mp4", "b/2.mp4", name)
    with pytest.raises(DataError) as refused:
        find_clips(tmp_path, Reading())
    assert f"{tmp_path / name} is not read: {advice}" in str(refused.value)


def test_paths_in_another_case_are_taken_where_one_clip_is_meant(tmp_path):
    write_groups(tmp_path, "path,label,group\nX/A.MP4,walk,g\nx/b.mp4,run,h\nx/B.mp4,run,i\n")
    rows = read_groups(tmp_path, ["x/a.mp4", "x/b.mp4", "x/B.mp4"])
    assert [row.path for row in rows] == ["x/a.mp4", "x/b.mp4", "x/B.mp4"]
    write_groups(tmp_path, "path,label,group\nx/a.mp4,walk,g\nX/B.MP4,run,h\n")
    assert read_groups(tmp_path, ["x/a.mp4", "x/b.mp4", "x/B.mp4"])[1].path == "X/B.MP4"
