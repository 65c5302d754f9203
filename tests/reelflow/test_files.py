"""Files are written whole, and never through another one."""

import os
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from unittest.mock import Mock

import pytest

from reelflow.errors import StorageError
from reelflow.files import files_below, is_locked, link_file, locked, write_bytes, write_text
from reelflow.progress import watched_by


def test_a_link_that_a_killed_process_left_is_not_written_through(tmp_path: Path, monkeypatch):
    precious, left, source = tmp_path / "precious", tmp_path / "left", tmp_path / "source"
    precious.write_text("kept")
    source.write_text("new")
    os.link(precious, left)
    monkeypatch.setattr(os, "link", Mock(side_effect=OSError("another disk")))
    link_file(source, left)
    assert (precious.read_text(), left.read_text()) == ("kept", "new")


def test_who_waits_for_a_lock_says_so_and_gets_it(tmp_path: Path):
    told: SimpleQueue[str] = SimpleQueue()
    order: list[str] = []

    def wait() -> None:
        with locked(tmp_path / "lock", "another run"):
            order.append("second")

    second = Thread(target=wait)
    with watched_by(lambda event: told.put(event["message"])):
        with locked(tmp_path / "lock", "another run"):
            second.start()
            assert told.get(timeout=60) == "waiting for another run to end"
            order.append("first")
        second.join()
    assert order == ["first", "second"]
    assert told.empty()


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127, "bad-\udcff.mp4"])
def test_any_name_that_the_disk_takes_can_be_written(tmp_path: Path, name: str):
    write_bytes(tmp_path / name, b"clip")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_folders_that_go_meanwhile_are_passed_over(tmp_path: Path, monkeypatch):
    (tmp_path / "stays").touch()
    (tmp_path / "goes").mkdir()
    scandir = os.scandir

    def scan(path):
        if Path(path).name == "goes":
            Path(path).rmdir()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    assert files_below(tmp_path) == [tmp_path / "stays"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux' /proc")
def test_a_folder_that_takes_no_files_is_told():
    """`python -m components.dataset --dataset /proc/x` ended with a traceback."""
    with (
        pytest.raises(StorageError, match=r"cannot write /proc/\.lock: its folder takes no files"),
        locked(Path("/proc/.lock")),
    ):
        pass
    with pytest.raises(StorageError, match="cannot write /proc/x: its folder takes no files"):
        write_text(Path("/proc/x"), "")


def test_a_lock_is_seen_while_it_is_held(tmp_path):
    lock = tmp_path / "lock"
    assert not is_locked(lock)
    assert not lock.exists()
    with locked(lock):
        assert is_locked(lock)
    assert not is_locked(lock)


def test_no_file_takes_the_place_of_a_device_a_pipe_or_a_folder(tmp_path: Path):
    """`--out /dev/null` of root replaced /dev/null by the page, for all programs of the machine."""
    pipe, folder, link = tmp_path / "pipe", tmp_path / "folder", tmp_path / "link"
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to("/dev/null")
    for path, why in (
        (pipe, "a device or a pipe"),
        (link, "a device or a pipe"),
        (folder, "a folder of this"),
    ):
        with pytest.raises(StorageError, match=f"cannot write {path}: .*{why}"):
            write_text(path, "page")
    assert (pipe.is_fifo(), folder.is_dir(), link.is_symlink()) == (True, True, True)
    assert len(list(tmp_path.iterdir())) == 3
