"""Nothing that lies in a folder is without a word."""

import os
import sys

from components.dataset.source.listing import list_folder, list_names
from tests.components.dataset.source.files import touch
from tests.permissions import run_bound_by_rights


def reasons_of(root):
    return {one.path: one.reason for one in list_folder(root).rejected}


def test_what_is_no_clip_by_name_is_counted(tmp_path):
    names = [
        "a/1.mp4",
        "a/.DS_Store",
        "a/notes.txt",
        "a/still.JPG",
        ".git/x.mp4",
        "@eaDir/1.mp4/x",
        "b/labels.csv",
    ]
    touch(tmp_path, *names, "b/2.mkv", "a/@eaDir/y.mp4", "__MACOSX/a/._1.mp4", "lost+found/z.mp4")
    listing = list_folder(tmp_path)
    assert listing.files == ["a/1.mp4", "b/2.mkv"]
    assert listing.rejected == []
    assert listing.note() == (
        "9 file(s) ignored, whose names are not those of clips: 1 .csv, 1 .jpg, 1 .txt, 4 folders of the "
        "system, 1 hidden, 1 hidden folders",
    )
    assert list_names(names).files == ["a/1.mp4"]


def test_empty_folders_unfinished_files_and_bad_names_have_reasons(tmp_path):
    touch(tmp_path, "a/1.mp4", "a/2.mp4.part", "b/notes.txt", "c/d/readme.md", os.fsdecode(b"a/bad\xff.mp4"))
    (tmp_path / "empty").mkdir()
    reasons = reasons_of(tmp_path)
    assert reasons.keys() == {"a/2.mp4.part", "b", "c/d", "empty", "a/bad\\xff.mp4"}
    assert "unfinished" in reasons["a/2.mp4.part"]
    assert "UTF-8" in reasons["a/bad\\xff.mp4"]
    assert all("holds no clips" in reasons[name] for name in ("b", "c/d", "empty"))


def test_a_table_of_groups_below_the_topmost_folder_has_a_reason(tmp_path):
    touch(tmp_path, "groups.csv", "train/groups.csv", "train/a/1.mp4")
    assert list_folder(tmp_path).files == ["train/a/1.mp4"]
    reasons = reasons_of(tmp_path)
    assert reasons.keys() == {"train/groups.csv"}
    assert "list its clips there" in reasons["train/groups.csv"]


def test_links_to_folders_are_followed_and_circles_end(tmp_path):
    root, other = tmp_path / "clips", tmp_path / "other"
    touch(root, "a/1.mp4")
    touch(other, "2.mp4", "deep/3.mp4")
    (root / "b").symlink_to(other)
    (root / "c").symlink_to(other)
    (root / "a/again").symlink_to(root / "a")
    (root / "a/up").symlink_to(tmp_path)
    (other / "round").symlink_to(other)
    (root / "a/gone.mp4").symlink_to("nowhere")
    listing = list_folder(root)
    assert listing.files == ["a/1.mp4", "a/gone.mp4", "b/2.mp4", "b/deep/3.mp4"]
    assert reasons_of(root) == {
        "a/again": "it is a link to a of this folder, which counts once",
        "a/up": "it is a link to a folder around this one",
        "b/round": "it is the same folder as b, which counts once",
        "c": "it is the same folder as b, which counts once",
    }


def test_links_to_hidden_folders_are_followed_once(tmp_path):
    touch(tmp_path, ".store/a/1.mp4", ".store/b/.deep/2.mp4", "c/3.mp4")
    for link, target in {"a": ".store/a", "b": ".store/b/.deep", "again": ".store/a"}.items():
        (tmp_path / link).symlink_to(target)
    (tmp_path / ".store/a/round").symlink_to(tmp_path / ".store")
    assert list_folder(tmp_path).files == ["a/1.mp4", "b/2.mp4", "c/3.mp4"]
    reasons = reasons_of(tmp_path)
    assert reasons["again"] == reasons["a/round/a"] == "it is the same folder as a, which counts once"


def test_a_source_that_is_a_link_is_its_target(tmp_path):
    touch(tmp_path / "real", "a/1.mp4")
    (tmp_path / "link").symlink_to("real")
    assert list_folder(tmp_path / "link").files == ["a/1.mp4"]


LIST = """
import sys
from pathlib import Path
from components.dataset.source.listing import list_folder
listing = list_folder(Path(sys.argv[1]))
print(listing.files, [(one.path, one.reason) for one in listing.rejected])
"""


def test_folders_without_permission_have_a_reason(tmp_path):
    touch(tmp_path, "a/1.mp4", "closed/2.mp4")
    (tmp_path / "closed").chmod(0o000)
    ended = run_bound_by_rights(sys.executable, "-c", LIST, str(tmp_path))
    (tmp_path / "closed").chmod(0o700)
    assert ended.stdout == "['a/1.mp4'] [('closed', 'the folder cannot be opened: Permission denied')]\n"
