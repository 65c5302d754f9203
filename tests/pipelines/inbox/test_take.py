"""Labelled clips come into the folders of their classes, once, whole, and with their group."""

import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dataset.source.naming import groups_by_name
from pipelines.inbox.gather import WaitingClip
from pipelines.inbox.take import _copy
from reelflow.edge.recording.shelf import clip_name
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


def test_a_table_whose_first_line_tells_excel_the_separator_keeps_it(labelled: Labelling) -> None:
    table = labelled.clips / "groups.csv"
    table.write_text("sep=;\npath;label;group\nfall/fall.mp4;fall;a, b\nwalk/walk.mp4;walk;c\n")
    labelled.done("take", labelled.folder, labelled.clips)
    lines = table.read_text().splitlines()
    assert lines[:2] == ["sep=;", "path;label;group"]
    assert {line.split(";")[0] for line in lines[4:]} == {f"fall/{DOOR}", f"walk/{LATER}"}


def test_a_clip_that_is_there_with_another_label_stops_all(labelled: Labelling) -> None:
    (labelled.clips / "walk" / "known.mp4").write_bytes((labelled.inbox / DOOR).read_bytes())
    before = labelled.taken()
    failed = labelled.error("take", labelled.folder, labelled.clips)
    known = labelled.clips / "walk" / "known.mp4"
    assert f"labelled fall, and the same clip is {known} (walk)" in str(failed)
    assert labelled.taken() == before


def test_a_clip_that_a_table_labels_is_no_contradiction(labelled: Labelling) -> None:
    (labelled.clips / "flat.mp4").write_bytes((labelled.inbox / DOOR).read_bytes())
    rows = ("flat.mp4,fall,a", "fall/fall.mp4,fall,b", "walk/walk.mp4,walk,c")
    (labelled.clips / "groups.csv").write_text("\n".join(("path,label,group", *rows)) + "\n")
    told = labelled.done("take", labelled.folder, labelled.clips)
    assert "1 clips are new" in told
    assert "1 were there" in told


def test_a_clip_without_a_label_beside_the_classes_waits_for_one(labelled: Labelling) -> None:
    (labelled.clips / DOOR).write_bytes((labelled.inbox / DOOR).read_bytes())
    labelled.done("take", labelled.folder, labelled.clips)
    assert f"fall/{DOOR}" in labelled.taken()


@pytest.mark.parametrize("most", [0, 1, 2])
def test_a_killed_call_is_made_good_by_the_next(
    labelled: Labelling, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    labelled.label(door="fall", gate="walk")
    (labelled.clips / "groups.csv").write_text(
        "path,label,group\nfall/fall.mp4,fall,b\nwalk/walk.mp4,walk,c\n"
    )
    copied: list[Path] = []

    def killed(source: Path, target: Path) -> None:
        if len(copied) == most:
            raise KeyboardInterrupt
        _copy(source, target)
        copied.append(target)

    with monkeypatch.context() as patch:
        patch.setattr("pipelines.inbox.take._copy", killed)
        labelled.run("take", labelled.folder, labelled.clips)
    assert f"{most} were there" in labelled.done("take", labelled.folder, labelled.clips)
    lines = (labelled.clips / "groups.csv").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 6


@given(st.text(max_size=30), st.integers(0, 59), st.booleans())
def test_names_keep_their_groups_on_the_way(camera: str, minute: int, taken_twice: bool) -> None:
    """From the device's name of a clip to that in the folder of its class."""
    began = datetime(2026, 11, 27, 10, tzinfo=UTC)
    names = [
        clip_name(camera, moment, "", ID) + ".mp4"
        for moment in (began, began + timedelta(minutes=minute), began + timedelta(hours=2))
    ]
    taken = [WaitingClip(origin=f"a/{name}", identity="", note=None).safe_name for name in names]
    if taken_twice:
        taken = [f"{name.removesuffix('.mp4')}-0123456789ab.mp4" for name in taken]
    before = groups_by_name(dict.fromkeys(names, "fall")).groups
    after = groups_by_name(dict.fromkeys(taken, "fall")).groups
    assert [after[name] for name in taken] == [before[name] for name in names]


def test_the_folder_of_clips_must_be_there(labelled: Labelling) -> None:
    failed = labelled.error("take", labelled.folder, labelled.clips.with_name("clps"))
    assert "is not a folder: name the folder of clips" in str(failed)


def test_another_clip_of_the_same_name_is_left(labelled: Labelling) -> None:
    theirs = write_video(labelled.clips / "fall" / DOOR, frames=20)
    content = theirs.read_bytes()
    labelled.done("take", labelled.folder, labelled.clips)
    assert theirs.read_bytes() == content
    assert len([path for path in labelled.taken() if path.startswith("fall/door")]) == 2


def test_no_clip_is_written_over_whatever_names_there_are(labelled: Labelling) -> None:
    door = next(clip for clip in labelled.sheet.clips if clip.name == DOOR)
    with_hash = DOOR.replace(".mp4", f"-{door.sha256[:12]}.mp4")
    theirs = [
        write_video(labelled.clips / "fall" / name, frames=20 + number)
        for number, name in enumerate((DOOR, with_hash))
    ]
    content = [path.read_bytes() for path in theirs]
    labelled.done("take", labelled.folder, labelled.clips)
    assert [path.read_bytes() for path in theirs] == content
    assert len([path for path in labelled.taken() if path.startswith("fall/door")]) == 3


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
    assert "is not the clip that was labelled" in str(labelled.error("take", labelled.folder, labelled.clips))
    assert labelled.taken() == before


def test_clips_with_a_split_of_their_own_need_a_place(labelled: Labelling) -> None:
    split = labelled.clips.with_name("split")
    split.mkdir()
    labelled.clips.rename(split / "train")
    write_video(split / "test" / "walk" / "other.mp4", frames=50)
    failed = labelled.error("take", labelled.folder, split)
    assert f"name the one that takes the clips, {split / 'train'}" in str(failed)
    assert "2 clips are new" in labelled.done("take", labelled.folder, split / "train")
    (split / "train" / "fall" / DOOR).rename(split / "test" / "walk" / DOOR)
    failed = labelled.error("take", labelled.folder, split / "train")
    assert f"labelled fall, and the same clip is {split / 'test' / 'walk' / DOOR} (walk)" in str(failed)


def test_a_folder_that_is_no_sheet_is_told(work: Labelling) -> None:
    failed = work.error("take", work.inbox, work.clips)
    assert "is not a sheet: python -m pipelines inbox sheet INBOX" in str(failed)
    assert failed.exit_code == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:_NoneStep.value:DeprecationWarning")  # of DVC
def test_dvc_follows_the_clips_if_it_did(labelled: Labelling, tmp_path: Path) -> None:
    from dvc.repo import Repo

    team = make_team(tmp_path / "team", str(tmp_path / "remote"))
    clips = labelled.clips.rename(team / "clips")
    with Repo(str(team)) as repo:
        repo.add([str(clips)])
    before = (team / "clips.dvc").read_text()
    untracked = labelled.done("take", labelled.folder, clips, "--no-dvc")
    assert "DVC tracks" not in untracked
    assert (team / "clips.dvc").read_text() == before
    told = labelled.done("take", labelled.folder, clips)
    assert f"DVC tracks them: git add {team / 'clips.dvc'}, and dvc push" in told
    assert (team / "clips.dvc").read_text() != before
    assert "clips.dvc" in git(team, "status", "--porcelain")
    with Repo(str(team)) as repo:
        assert repo.status() == {}


@pytest.fixture
def followed(labelled: Labelling, tmp_path: Path) -> Labelling:
    """The clips are in a repository of DVC."""
    team = make_team(tmp_path / "team", str(tmp_path / "remote"))
    labelled.clips = labelled.clips.rename(team / "clips")
    return labelled


def dvc(work: Labelling, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], cwd=work.clips.parent, check=True)


@pytest.mark.slow
def test_dvc_forgets_no_clip_that_is_not_checked_out(followed: Labelling) -> None:
    dvc(followed, "add", "clips")
    shutil.rmtree(followed.clips)
    before = (followed.clips.parent / "clips.dvc").read_text()
    failed = followed.error("take", followed.folder, followed.clips)
    assert f"{followed.clips} lacks files that DVC tracks: clips/, clips/fall/fall.mp4" in str(failed)
    assert not followed.clips.exists()
    dvc(followed, "checkout", "clips")
    (followed.clips / "walk" / "walk.mp4").unlink()
    assert "lacks files that DVC tracks: clips/walk/walk.mp4: run dvc checkout or dvc pull" in str(
        followed.error("take", followed.folder, followed.clips)
    )
    assert (followed.clips.parent / "clips.dvc").read_text() == before
    dvc(followed, "checkout", "clips")
    assert "2 clips are new" in followed.done("take", followed.folder, followed.clips)
    assert (followed.clips.parent / "clips.dvc").read_text() != before


@pytest.mark.slow
def test_a_clone_without_the_list_of_dvc_takes_no_clips(followed: Labelling) -> None:
    dvc(followed, "add", "clips")
    shutil.rmtree(followed.clips.parent / ".dvc" / "cache")
    (followed.clips / "walk" / "walk.mp4").unlink()
    failed = followed.error("take", followed.folder, followed.clips)
    assert "whose list is not in DVC's cache here: dvc pull" in str(failed)
    assert f"fall/{DOOR}" not in followed.taken()


@pytest.mark.slow
def test_dvc_follows_classes_each_on_its_own_and_through_a_link(followed: Labelling, tmp_path: Path) -> None:
    dvc(followed, "add", "clips/fall")
    (tmp_path / "link").symlink_to(followed.clips)
    told = followed.done("take", followed.folder, tmp_path / "link")
    assert f"git add {followed.clips / 'fall.dvc'}, and dvc push" in told
    assert "walk.dvc" not in told
    assert "nfiles: 2" in (followed.clips / "fall.dvc").read_text()


@pytest.mark.slow
def test_an_output_of_a_stage_takes_no_clips(followed: Labelling) -> None:
    stage = "stages:\n  cut:\n    cmd: test -d clips\n    outs:\n      - clips:\n          persist: true\n"
    (followed.clips.parent / "dvc.yaml").write_text(stage)
    dvc(followed, "repro")
    failed = followed.error("take", followed.folder, followed.clips)
    assert "is an output of a DVC stage" in str(failed)
    assert f"fall/{DOOR}" not in followed.taken()
