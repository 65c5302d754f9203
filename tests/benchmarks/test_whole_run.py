"""The benchmarks of whole runs refuse what they cannot measure."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("program", ["own_clips.py", "whole_run.py"])
def test_a_folder_without_clips_is_refused(program):
    command = [sys.executable, f"benchmarks/{program}", "--data", "nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "nowhere has no clips/" in done.stderr
