"""The units of a device, as systemd reads them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

WATCH, UPDATE = Path("infra/edge/reelflow-watch@.service"), Path("infra/edge/reelflow-update.service")
TIMER = Path("infra/edge/reelflow-update.timer")
MOST_EXPOSED = 2.0  # of `systemd-analyze security`, 10 being the worst

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="there is no systemd-analyze")


@pytest.fixture(params=[WATCH, UPDATE], ids=lambda unit: unit.stem)
def unit(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An instance; what it starts is here, as `verify` asks."""
    path = tmp_path / request.param.name.replace("@", "@door")
    path.write_text(request.param.read_text().replace("/opt/reelflow/bin/reelflow", "/bin/true"))
    return path


def analyze(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_systemd_takes_the_unit(unit):
    done = analyze("verify", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_systemd_takes_the_timer(tmp_path):
    for path in (TIMER, UPDATE):
        text = path.read_text().replace("/opt/reelflow/bin/reelflow", "/bin/true")
        (tmp_path / path.name).write_text(text)
    done = analyze("verify", tmp_path / TIMER.name)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_may_do_little(unit):
    done = analyze("security", "--offline=yes", unit)
    found = re.search(r"exposure level for .*: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED


@pytest.mark.parametrize(("unit", "variable"), [(WATCH, "SOURCE"), (UPDATE, "CHANNEL")])
def test_no_password_is_on_the_command_line(unit, variable):
    (command,) = [line for line in unit.read_text().splitlines() if line.startswith("ExecStart=")]
    assert f"env:{variable}" in command
    assert f"${{{variable}}}" not in command
