"""What a class cannot be called, and how numbers are written."""

import pytest

from components.dataset.source.clips import Reading, find_clips
from components.dataset.source.labels import check_twins
from reelflow.contracts import UNSURE
from reelflow.errors import DataError
from tests.components.dataset.source.files import touch, write_groups


@pytest.mark.parametrize("label", ["a\nb", "a\tb", "a\x1b[31mb", "a\u2028b", "a\x85b"])
def test_labels_with_control_characters_are_an_error_in_one_line(tmp_path, label):
    touch(tmp_path, f"{label}/1.mp4", "c/2.mp4")
    with pytest.raises(DataError) as refused:
        find_clips(tmp_path, Reading())
    assert f"the label {label!r} of" in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_name_of_a_device_s_answer_is_no_class(tmp_path):
    touch(tmp_path, f"{UNSURE}/1.mp4", "c/2.mp4")
    with pytest.raises(DataError, match=r"a class is called 'unsure' .*give the class another name"):
        find_clips(tmp_path, Reading())
    write_groups(tmp_path, f"path,label,group\n{UNSURE}/1.mp4,other,g\nc/2.mp4,c,h\n")
    assert {clip.label for clip in find_clips(tmp_path, Reading()).clips} == {"c", "other"}


@pytest.mark.parametrize(
    "twins",
    [("1", "1.0"), ("1", "01"), ("class 1", "class_01"), ("A008", "a8"), ("-1", "-1.00"), ("0", "00")],
)
def test_one_number_written_in_two_ways_is_named(twins):
    with pytest.raises(DataError, match=r"1 label.s. are written in several ways"):
        check_twins(dict.fromkeys(twins, "clip"))


@pytest.mark.parametrize(
    "labels", [("1", "10", "100"), ("1.5", "1.05"), ("0", "0.5"), ("v1", "v10"), ("1", "1.01"), ("-1", "1.0")]
)
def test_other_numbers_are_other_classes(labels):
    check_twins(dict.fromkeys(labels, "clip"))
