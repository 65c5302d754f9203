"""A folder of clips: its names, its limit, what killed processes leave in it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.dataset.source.naming import groups_by_name
from reelflow.edge.recording.shelf import CLIP, Shelf, clip_name, locked
from reelflow.errors import StorageError
from reelflow.files import temporary_path
from tests.reelflow.edge.recording.killed import killed_while_recording
from tests.reelflow.edge.recording.recordings import IDENTITY, levels
from tests.videos import write_video

MOMENT = datetime(2026, 11, 27, 10, 15, 0, tzinfo=UTC)


def clip(folder: Path, number: int, size_bytes: int = 1000) -> Path:
    """A clip that was written in this place of the order."""
    path = folder / f"camera_20261127_1015{number:02}_wave_{IDENTITY[:-2]}{number:02}.mp4"
    path.write_bytes(bytes(size_bytes))
    os.utime(path, (number, number))
    return path


@given(st.text(max_size=300), st.text(max_size=300))
def test_a_name_is_safe_whatever_camera_and_label_are_called(camera, label):
    name = clip_name(f"rtsp://{camera}", MOMENT, label, IDENTITY)
    assert CLIP.fullmatch(f"{name}.mp4")
    assert len(name.encode()) < 200
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")


def test_clips_of_one_camera_and_hour_are_one_group_of_the_dataset_step():
    moments = [MOMENT.replace(minute=minute) for minute in (0, 20, 40)] + [MOMENT.replace(hour=15)]
    names = [clip_name("rtsp://10.0.0.5/live", moment, "", IDENTITY) for moment in moments]
    groups = groups_by_name({f"wave/{name}.mp4": "wave" for name in names}).groups
    assert list(groups.values()).count("10.0.0.5-live 2026-11-27 10:00:00") == 3
    assert len(set(groups.values())) == 2


def test_the_oldest_go_first_and_nothing_else(tmp_path):
    clips = [clip(tmp_path, number) for number in range(10)]
    note = clips[0].with_suffix(".json")
    note.write_bytes(bytes(500))
    os.utime(note, (0, 0))
    own = tmp_path / "VID_20240105_100000_birthday.mp4"
    own.write_bytes(bytes(100_000))
    (tmp_path / "wave").mkdir()
    sorted_in = clip(tmp_path / "wave", 0, 100_000)
    Shelf(tmp_path, 6500).make_room(1000)
    assert [path.exists() for path in clips] == [False] * 5 + [True] * 5
    assert not note.exists()
    assert own.exists()
    assert sorted_in.exists()


def test_a_new_clip_is_the_newest_although_the_clock_was_set_back(tmp_path):
    old, new = clip(tmp_path, 50), tmp_path / f"camera_20251127_101500_wave_{IDENTITY}.mp4"
    temporary = temporary_path(new)
    temporary.write_bytes(bytes(1000))
    os.utime(temporary, (1, 1))
    shelf = Shelf(tmp_path, 1500)
    shelf.publish(temporary, new)
    shelf.make_room(0)
    assert (old.exists(), new.exists()) == (False, True)


def test_what_a_killed_process_has_left_is_adopted_if_it_plays(tmp_path):
    source = write_video(tmp_path / "camera.mp4", 60, codec="libx264")
    folder = tmp_path / "clips"
    killed_while_recording(source, folder)
    (left,) = folder.iterdir()
    assert left.name.startswith(".")
    nothing = temporary_path(folder / f"camera_20261127_101500_{IDENTITY}.mp4")
    nothing.write_bytes(b"\0" * 100)
    with locked(left):
        assert Shelf(folder, 10**9).adopt() == (0, 1), "what somebody writes stays"
    assert Shelf(folder, 10**9).adopt() == (1, 0)
    (adopted,) = folder.iterdir()
    assert CLIP.fullmatch(adopted.name)
    assert len(levels(adopted)) > 40


@pytest.mark.parametrize("kind", ["a file", "below a file"])
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path, kind):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="not a folder"):
        Shelf(tmp_path / "file" if kind == "a file" else tmp_path / "file" / "x", 1).check()
