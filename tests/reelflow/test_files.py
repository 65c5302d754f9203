"""Files are written whole, and never through another one."""

import os
from pathlib import Path
from unittest.mock import Mock

from reelflow.files import link_file


def test_a_link_that_a_killed_process_left_is_not_written_through(tmp_path: Path, monkeypatch):
    precious, left, source = tmp_path / "precious", tmp_path / "left", tmp_path / "source"
    precious.write_text("kept")
    source.write_text("new")
    os.link(precious, left)
    monkeypatch.setattr(os, "link", Mock(side_effect=OSError("another disk")))
    link_file(source, left)
    assert (precious.read_text(), left.read_text()) == ("kept", "new")
