"""A source that is empty, as a variable of a shell that is not set, is not the one of the params."""

import subprocess
import sys

from reelflow.errors import ParamsError


def test_an_empty_source_is_told(tmp_path):
    command = [sys.executable, "-m", "components.dataset", "--dataset", str(tmp_path / "out")]
    ended = subprocess.run([*command, "--source", ""], capture_output=True, text=True, check=False)
    assert ended.returncode == ParamsError.exit_code
    assert "dataset.source: String should have at least 1 character" in ended.stderr
    assert not (tmp_path / "out").exists()
