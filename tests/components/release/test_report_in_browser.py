import shutil
import subprocess
from pathlib import Path

import pytest

from components.release.step import run
from reelflow.params import load_params
from tests.fake_registry import MemoryRegistry
from tests.fake_run import write_run

pytestmark = pytest.mark.browser
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--window-size=1200,2400",
]


@pytest.fixture
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("no chromium (apt-get install chromium)")
    return found


def test_a_browser_shows_the_report_and_has_nothing_to_block(chromium, tmp_path):
    made = write_run(tmp_path / "run", [f"class {number}" for number in range(6)])
    params = load_params(Path("params.yaml")).release
    run(params, **made.inputs, release=tmp_path / "release", registry=MemoryRegistry())
    picture, profile = tmp_path / "report.png", tmp_path / "profile"
    url = (tmp_path / "release" / "report.html").as_uri()
    command = [chromium, *OPTIONS, f"--user-data-dir={profile}", f"--screenshot={picture}", url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "CONSOLE" not in ended.stderr  # where blocked resources and broken markup are reported
    assert picture.stat().st_size > 50_000
