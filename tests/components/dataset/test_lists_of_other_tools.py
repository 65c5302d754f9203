"""Split lists as the tools write them that train on videos: more columns, first lines, comments."""

import pytest

from components.dataset.lists.files import read_lists
from components.dataset.split import split_clips
from reelflow.errors import DataError, ParamsError
from reelflow.params import DatasetParams, SplitLists
from reelflow.splitting.splits import Member

PATHS = [f"{label}/clip {number}.mp4" for label in ("walk", "run") for number in range(4)]
TRAIN, TEST = PATHS[:3] + PATHS[4:7], [PATHS[3], PATHS[7]]


def written(folder, train, test, encoding="utf-8"):
    (folder / "train.txt").write_text(train, encoding)
    (folder / "test.txt").write_text(test, encoding)
    return SplitLists(train=str(folder / "train.txt"), test=str(folder / "test.txt"))


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("{path} {number}", ""),
        ("{path} {label}", ""),
        ("{path},{label}", "path,label"),
        ("{path},{number},{label}", "video_path,class,name"),
        ('"{path}";{label}', "file;label"),
        ("{path} 120 {number}", ""),
        ("{path} 0 120 {number}", ""),
        ("{path} {number}.0", "# made by pandas"),
        ("{path}\t-1", "# train\n# of Monday"),
    ],
)
def test_other_columns_and_lines_are_passed_over(tmp_path, line, first):
    def text(paths):
        lines = [line.format(path=path, number=1, label=path.split("/")[0]) for path in paths]
        return "\n".join(([first] if first else []) + lines)

    found = read_lists(written(tmp_path, text(TRAIN), text(TEST)), PATHS)
    assert found == {**dict.fromkeys(TRAIN, "train"), **dict.fromkeys(TEST, "test")}


def test_names_that_look_like_columns_and_comments_are_those_of_clips(tmp_path):
    paths = ["walk/a 1", "walk/a", "#1/b.mp4", "walk/c 2 3"]
    found = read_lists(written(tmp_path, "walk/a 1\n#1/b.mp4", "walk/a\nwalk/c 2 3 1"), paths)
    assert found == {"walk/a 1": "train", "#1/b.mp4": "train", "walk/a": "test", "walk/c 2 3": "test"}


def test_a_class_that_lists_miss_by_another_spelling_is_told_with_an_example(tmp_path):
    lists = written(tmp_path, "\n".join(TRAIN).replace("walk", "Walk"), "\n".join(TEST))
    params = DatasetParams(
        source="clips", split="group", split_lists=lists, validation=0.2, test=0.2, drop_small_classes=False,
        clip_timeout_s=10, seed=0,
    )  # fmt: skip
    members = [Member(path, path.split("/")[0], path) for path in PATHS]
    with pytest.raises(
        DataError, match=r"3 of 8 listed clips are not there or not usable, such as Walk/clip 0"
    ):
        split_clips(members, {"walk", "run"}, params)


def test_a_list_in_another_encoding_says_how_to_save_it(tmp_path):
    lists = written(tmp_path, "\n".join(TRAIN), "\n".join(TEST), "utf-16")
    with pytest.raises(ParamsError, match="is not UTF-8 text: save it as UTF-8"):
        read_lists(lists, PATHS)
