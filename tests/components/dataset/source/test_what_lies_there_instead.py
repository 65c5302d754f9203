"""Where there are no clips, or fewer than a person sees: what lies there instead."""

import pytest

from components.dataset.source.clips import Reading, find_clips
from components.dataset.source.listing import list_folder
from components.dataset.split import split_clips
from reelflow.errors import DataError
from reelflow.params import DatasetParams
from reelflow.splitting.splits import Member
from tests.components.dataset.source.files import touch


def refusal(source):
    with pytest.raises(DataError) as refused:
        find_clips(source, Reading())
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_folders_of_pictures_are_told_as_that(tmp_path):
    touch(tmp_path, *(f"{label}/clip1/{number:05}.jpg" for label in ("walk", "run") for number in range(3)))
    said = refusal(tmp_path)
    assert "left out: 2 the folder holds pictures, no clips: make a clip of them" in said
    assert "other files are there (6 .jpg)" in said


def test_a_class_that_is_all_pictures_is_told_as_that(tmp_path):
    touch(tmp_path, "walk/1.mp4", "run/2.mp4", "jump/3.png")
    (rejected,) = find_clips(tmp_path, Reading()).rejected
    assert (rejected.path, rejected.reason.split(":")[0]) == ("jump", "the folder holds pictures, no clips")


@pytest.mark.parametrize("name", ["clips.zip", "clips-20240101T000000Z-001.zip", "walk.rar", "walk/1.tar"])
def test_archives_are_to_be_unpacked(tmp_path, name):
    touch(tmp_path, name)
    said = refusal(tmp_path)
    assert "holds no clips" in said
    assert "unpack" in said


def test_hidden_clips_are_counted(tmp_path):
    touch(tmp_path, ".walk/1.mp4", ".run/2.mp4", "._a.mp4")
    assert "other files are there (1 hidden, 2 hidden folders)" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("clips.zip", "unpack it, and name the folder"),
        ("a.mp4", "it is a file: name the folder"),
        ("nothing", "is not there"),
    ],
)
def test_a_source_that_is_no_folder_says_what_it_is(tmp_path, name, said):
    if name != "nothing":
        touch(tmp_path, name)
    assert said in refusal(tmp_path / name)


def test_a_class_folder_on_a_disk_that_is_away_is_no_stray_clip(tmp_path):
    touch(tmp_path, "walk/1.mp4", "run/2.mp4")
    (tmp_path / "jump").symlink_to("/media/disk that is away/jump")
    (rejected,) = find_clips(tmp_path, Reading()).rejected
    assert rejected.reason.startswith("it is a link to /media/disk that is away/jump, which is not there")


@pytest.mark.parametrize(
    "name", ["IMG_1.AAE", "readme.rst", "best.pt", "subject1.mat", "a.svg", "log.xls", "sound.opus", "a.xmp"]
)
def test_files_beside_clips_that_are_no_clips_are_counted(tmp_path, name):
    listing = list_folder(touch(tmp_path, f"walk/{name}", "walk/1.mp4"))
    assert (listing.files, listing.ignored.total()) == (["walk/1.mp4"], 1)


def test_folders_of_other_files_make_no_class(tmp_path):
    touch(tmp_path, "walk/1.mp4", "run/2.mp4", "docs/readme.rst", "models/best.pt", "walk/calib/a.xmp")
    found = find_clips(tmp_path, Reading())
    assert {clip.label for clip in found.clips} == {"walk", "run"}
    assert {one.path for one in found.rejected} == {"docs", "models", "walk/calib"}


def test_one_class_alone_says_what_to_add():
    params = DatasetParams(
        source="clips", split="group", split_lists=None, validation=0.2, test=0.2, drop_small_classes=False,
        clip_timeout_s=10, seed=0,
    )  # fmt: skip
    members = [Member(f"walk/{number}.mp4", "walk", str(number)) for number in range(9)]
    with pytest.raises(DataError, match=r"found 'walk' alone: add a folder of clips for another class"):
        split_clips(members, {"walk"}, params)
