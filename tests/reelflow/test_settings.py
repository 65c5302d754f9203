import os
import subprocess
import sys

import pytest

from reelflow.errors import ParamsError
from reelflow.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REELFLOW_PATIENCE_S", "abc"),
        ("REELFLOW_PATIENCE_S", "nan"),
        ("REELFLOW_PATIENCE_S", "-1"),
        ("REELFLOW_SCRATCH_BYTES", "4Gi"),
        ("REELFLOW_SHARDS", "disk"),
    ],
)
def test_a_variable_that_cannot_be_read_is_named(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ParamsError, match=f"{name}: found '{value}'.*correct or unset it"):
        Settings()


def test_a_command_ends_with_one_line():
    command = [sys.executable, "-m", "pipelines", "track", "replay"]
    environment = os.environ | {"REELFLOW_PATIENCE_S": "soon"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == ParamsError.exit_code
    assert done.stderr.startswith("error: the environment variable REELFLOW_PATIENCE_S")
    assert done.stderr.count("\n") == 1
