"""Labelled clips come into the folders of their classes, once, whole, and with their group."""

from pathlib import Path

import pytest

from components.dataset.source.naming import groups_by_name
from reelflow.files import sha256_file
from tests.pipelines.inbox.labelling import ID, Labelling
from tests.team_repository import git, make_team
from tests.videos import write_video

DOOR, LATER, GATE = (
    f"{name}_{ID}.mp4" for name in ("door_20261127_100000", "door_20261127_101000", "gate_20261127_100000")
)


@pytest.fixture
def labelled(work: Labelling) -> Labelling:
    """Two clips with a label, one that is unusable."""
    work.fill()
    work.make()
    work.label(door_20261127_100="fall", door_20261127_101="walk", gate="unusable")
    return work


def test_labelled_clips_are_copied_once(labelled: Labelling) -> None:
    before = labelled.taken()
    told = labelled.done("take", labelled.folder, labelled.clips)
    assert "2 clips are new" in told
    assert "0 were there, 0 have no label, 1 are unusable" in told
    assert "next: python -m pipelines run --data" in told
    assert labelled.taken() - before == {f"fall/{DOOR}", f"walk/{LATER}"}
    assert sha256_file(labelled.clips / "fall" / DOOR) == sha256_file(labelled.inbox / DOOR)
    again = labelled.done("take", labelled.folder, labelled.clips)
    assert "0 clips are new" in again
    assert "2 were there" in again


def test_windows_of_one_camera_stay_one_group(labelled: Labelling) -> None:
    labelled.done("take", labelled.folder, labelled.clips)
    groups = groups_by_name({path: path.split("/")[0] for path in labelled.taken()}).groups
    assert groups[f"fall/{DOOR}"] == groups[f"walk/{LATER}"]


def test_a_table_of_groups_lists_them_too(labelled: Labelling) -> None:
    table = labelled.clips / "groups.csv"
    table.write_text("label;group;path;remark\nfall;scene 1;fall/fall.mp4;x\nwalk;scene 2;walk/walk.mp4;")
    labelled.done("take", labelled.folder, labelled.clips)
    labelled.done("take", labelled.folder, labelled.clips)
    lines = table.read_text().splitlines()
    assert lines[:3] == [
        "label;group;path;remark",
        "fall;scene 1;fall/fall.mp4;x",
        "walk;scene 2;walk/walk.mp4;",
    ]
    new = {line.split(";")[2]: line.split(";")[1] for line in lines[3:]}
    assert new.keys() == {f"fall/{DOOR}", f"walk/{LATER}"}
    assert len(set(new.values())) == 1


def test_a_clip_that_is_there_with_another_label_stops_all(labelled: Labelling) -> None:
    (labelled.clips / "walk" / "known.mp4").write_bytes((labelled.inbox / DOOR).read_bytes())
    before = labelled.taken()
    failed = labelled.error("take", labelled.folder, labelled.clips)
    assert "labelled fall, and the same clip is walk/known.mp4" in str(failed)
    assert labelled.taken() == before


def test_a_table_says_the_label_of_a_clip_outside_of_the_folders(labelled: Labelling) -> None:
    (labelled.clips / "flat.mp4").write_bytes((labelled.inbox / DOOR).read_bytes())
    (labelled.clips / "groups.csv").write_text("path,label,group\nflat.mp4,fall,g\n")
    told = labelled.done("take", labelled.folder, labelled.clips)
    assert "1 clips are new" in told
    assert "1 were there" in told


def test_the_folder_of_clips_must_be_there(labelled: Labelling) -> None:
    failed = labelled.error("take", labelled.folder, labelled.clips.with_name("clps"))
    assert "is not a folder: name the folder of clips" in str(failed)


def test_another_clip_of_the_same_name_is_left(labelled: Labelling) -> None:
    theirs = write_video(labelled.clips / "fall" / DOOR, frames=20)
    content = theirs.read_bytes()
    labelled.done("take", labelled.folder, labelled.clips)
    assert theirs.read_bytes() == content
    assert len([path for path in labelled.taken() if path.startswith("fall/door")]) == 2


@pytest.mark.parametrize("harm", ["altered", "removed", "link"])
def test_a_clip_that_people_did_not_see_is_not_taken(labelled: Labelling, harm: str, tmp_path: Path) -> None:
    clip = labelled.folder / "clips" / DOOR
    content = clip.read_bytes()
    clip.unlink()
    if harm == "altered":
        clip.write_bytes(content + b"x")
    elif harm == "link":
        (tmp_path / "other.mp4").write_bytes(content)
        clip.symlink_to(tmp_path / "other.mp4")
    before = labelled.taken()
    assert "is not the clip that people saw" in str(labelled.error("take", labelled.folder, labelled.clips))
    assert labelled.taken() == before


def test_clips_with_a_split_of_their_own_need_a_place(labelled: Labelling) -> None:
    (labelled.clips / "train").mkdir()
    failed = labelled.error("take", labelled.folder, labelled.clips)
    assert f"name the one that takes the clips, {labelled.clips / 'train'}" in str(failed)


def test_a_folder_that_is_no_sheet_is_told(work: Labelling) -> None:
    failed = work.error("take", work.inbox, work.clips)
    assert "is not a sheet: python -m pipelines inbox sheet INBOX" in str(failed)
    assert failed.exit_code == 3


@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC
def test_dvc_follows_the_clips_if_it_did(labelled: Labelling, tmp_path: Path) -> None:
    from dvc.repo import Repo

    team = make_team(tmp_path / "team", str(tmp_path / "remote"))
    clips = labelled.clips.rename(team / "clips")
    with Repo(str(team)) as repo:
        repo.add([str(clips)])
    before = (team / "clips.dvc").read_text()
    untracked = labelled.done("take", labelled.folder, clips, "--no-dvc")
    assert "DVC follows" not in untracked
    assert (team / "clips.dvc").read_text() == before
    told = labelled.done("take", labelled.folder, clips)
    assert f"DVC follows them: git add {team / 'clips.dvc'}, and dvc push" in told
    assert (team / "clips.dvc").read_text() != before
    assert "clips.dvc" in git(team, "status", "--porcelain")
    with Repo(str(team)) as repo:
        assert repo.status() == {}
