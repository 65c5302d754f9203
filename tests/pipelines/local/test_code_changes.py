"""A finished run after a change to the code: the steps that import the file run again, and no others."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.training import task_names
from reelflow.params import load_params
from tests.workplace import Workplace


@pytest.fixture
def run_again(small_run: tuple[Workplace, Path, str], checkout: Path, tmp_path: Path):
    """Changes a file of a checkout and runs it on the results of `small_run`; gives what was printed."""
    place, out, _ = small_run
    shutil.copytree(out, tmp_path / "out", symlinks=True)

    def run(file: str) -> str:
        path = checkout / file
        path.write_text(f"{path.read_text()}\n")
        command = place.command("run", "--params", place.params, "--out", tmp_path / "out")
        done = subprocess.run(
            command, cwd=checkout, env=place.environment, capture_output=True, text=True, timeout=280
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.slow
def test_after_a_change_to_what_no_step_imports_nothing_runs(run_again):
    assert "nothing has changed" in run_again("reelflow/edge/drawing.py")


@pytest.mark.slow
def test_after_a_change_to_the_device_s_classifier_the_steps_that_use_it_run(run_again, small_run):
    place, _, _ = small_run
    names = task_names(load_params(place.params))
    printed = run_again("reelflow/edge/classifier.py")
    kept = re.findall(r"\] (.+): already done", printed)
    assert sorted(kept) == sorted(name for name in names if name not in ("conversion", "release"))
    assert re.findall(r"\] (.+): done in", printed) == ["conversion", "release"]
