"""Folders and links are replaced at once: nobody finds nothing, or half of one."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from reelflow.durable import replace
from reelflow.durable.replace import replace_folder, replace_link


class PulledPlug(BaseException):
    """Stands for a kill: nothing is cleaned up after it."""


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "file").write_text(content)
    return path


@contextmanager
def watched(look: Path) -> Iterator[set[str]]:
    """What another thread finds at a path, again and again; `absent` if there is nothing."""
    found: set[str] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            try:
                found.add(look.read_text())
            except FileNotFoundError:
                found.add("absent")

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def test_a_folder_is_never_absent_while_it_is_replaced(tmp_path: Path) -> None:
    final = folder(tmp_path / "out", "0")
    with watched(final / "file") as found:
        for number in range(1, 200):
            replace_folder(folder(tmp_path / ".partial", str(number)), final)
    assert "absent" not in found
    assert len(found) > 10
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_link_is_never_absent_while_it_is_replaced(tmp_path: Path) -> None:
    for number in (0, 1):
        folder(tmp_path / str(number), str(number))
    link = tmp_path / "current"
    replace_link(link, "0")
    with watched(link / "file") as found:
        for number in range(300):
            replace_link(link, str(number % 2))
    assert found == {"0", "1"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "current"]


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_kill_at_any_rename_where_names_cannot_be_exchanged_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    monkeypatch.setattr(replace, "_exchange", lambda _one, _other: False)
    final, partial = folder(tmp_path / "out", "old"), folder(tmp_path / ".partial", "new")
    left = [renames]
    rename = Path.replace

    def counted(path: Path, target: Path) -> Path:
        if not left[0]:
            raise PulledPlug
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patched, pytest.raises(PulledPlug) if renames < 2 else nullcontext():
        patched.setattr(Path, "replace", counted)
        replace_folder(partial, final)
    if partial.exists():
        with monkeypatch.context() as patched:
            patched.setattr(replace, "sync_tree", pull_the_plug)
            with pytest.raises(PulledPlug):
                replace_folder(partial, final)
        assert (final / "file").read_text() == "old"
        replace_folder(partial, final)
    assert (final / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def pull_the_plug(_folder: Path) -> None:
    raise PulledPlug
