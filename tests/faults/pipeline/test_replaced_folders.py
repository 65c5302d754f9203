"""An older output is whole, or out of the way, at whatever moment a run is killed that replaces it."""

import shutil
from pathlib import Path

import pytest

from reelflow.durable.replace import replace_folder


class Killed(BaseException):
    """Stands for a kill: nothing is cleaned up after it."""


def folder(path: Path, content: str) -> Path:
    path.mkdir()
    for name in ("a", "b", "c"):
        (path / name).write_text(content)
    return path


def test_a_kill_while_the_old_folder_goes_away_leaves_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, partial = folder(tmp_path / "out", "old"), folder(tmp_path / ".out.partial", "new")

    def half_removed(path: Path) -> None:
        (path / "b").unlink()
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", half_removed)
        with pytest.raises(Killed):
            replace_folder(partial, final)
    assert {path.read_text() for path in final.iterdir()} == {"new"}
    replace_folder(folder(partial, "newer"), final)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert sorted(path.read_text() for path in final.iterdir()) == ["newer"] * 3
