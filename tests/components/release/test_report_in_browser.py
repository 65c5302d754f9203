import subprocess
from pathlib import Path

import pytest

from components.release.step import run
from reelflow.params import load_params
from reelflow.settings import Settings
from tests.browser import OPTIONS
from tests.fake_registry import MemoryRegistry
from tests.fake_run import write_run

pytestmark = pytest.mark.browser


def test_a_browser_shows_the_report_and_has_nothing_to_block(chromium, tmp_path):
    params, registry = load_params(Path("params.yaml")).release, MemoryRegistry()
    for name, accuracy in (("champion", 0.5), ("run", 0.9)):
        labels, heads = [f"class {number}" for number in range(6)], {"gru": accuracy, "lstm": 0.3}
        made = write_run(tmp_path / name, labels, accuracies=heads, protocol="group_kfold(5)", folds=5)
        release = tmp_path / ("release" if name == "run" else "before")
        run(params, **made.inputs, settings=Settings(), release=release, registry=registry)
    picture, profile = tmp_path / "report.png", tmp_path / "profile"
    url = (tmp_path / "release" / "report.html").as_uri()
    shown = ["--window-size=1200,2400", f"--screenshot={picture}", url]
    command = [chromium, *OPTIONS, f"--user-data-dir={profile}", *shown]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "CONSOLE" not in ended.stderr  # where blocked resources and broken markup are reported
    assert picture.stat().st_size > 50_000
