"""The public conformance suite of TUF clients against our updater: `make test-tuf TUF_CONFORMANCE=DIR`.

DIR is a checkout of https://github.com/theupdateframework/tuf-conformance, v2.4.0 or later.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.workplace import ROOT

LEAST = 108  # tests of v2.4.0
VARIABLE = "TUF_CONFORMANCE"


@pytest.mark.tuf
@pytest.mark.timeout(3600)
def test_our_updater_passes_the_whole_suite(tmp_path: Path):
    suite = Path(os.environ.get(VARIABLE, ""))
    if not os.environ.get(VARIABLE) or not (suite / "tuf_conformance").is_dir():
        pytest.skip(f"no tuf-conformance suite: set {VARIABLE} to a checkout of v2.4.0")
    if not shutil.which("faketime"):
        pytest.skip("the suite needs the command faketime (apt-get install faketime)")
    results = tmp_path / "results.xml"
    command = [sys.executable, "-m", "pytest", "tuf_conformance", "-q", "-n", "2", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", ".", "--junitxml", str(results)]
    command += ["--entrypoint", f"{sys.executable} {ROOT / 'tests' / 'channel' / 'tuf_client.py'}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}
    path = os.pathsep.join((str(ROOT), "."))
    done = subprocess.run(
        command, cwd=suite, env=environment | {"PYTHONPATH": path}, capture_output=True, text=True
    )
    cases = list(ET.parse(results).iter("testcase"))
    other = [
        f"{case.get('name')}: {found.get('message')}"
        for case in cases
        for found in case
        if found.tag in ("failure", "error", "skipped")
    ]
    assert not other, done.stdout
    assert done.returncode == 0, done.stdout
    assert len(cases) >= LEAST
