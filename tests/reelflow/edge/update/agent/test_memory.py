"""One number says how much memory a camera has: units, agent and self-test agree."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reelflow.edge.update.agent.isolated import SelfTestLimits, examine_apart
from reelflow.edge.update.agent.memory import AGENT_MB, CAMERA_MB, SELF_TEST_MB, WATCHING_MB
from reelflow.errors import BundleError
from tests.device_bundles import hungry_bundle
from tests.videos import write_video

MIB = 1024 * 1024
WATCH, UPDATE = Path("infra/edge/reelflow-watch@.service"), Path("infra/edge/reelflow-update.service")
KILLED_SIDE = 9500  # 361 MB for an answer: more than a camera has, with what watching takes
STATUS = re.compile(r"^(VmHWM|RssFile):\s+(\d+) kB$", re.MULTILINE)


def memory_mb(unit: Path) -> int:
    (found,) = re.findall(r"^MemoryMax=(\d+)M$", unit.read_text(), re.MULTILINE)
    return int(found)


def test_units_and_agent_say_the_same() -> None:
    assert memory_mb(WATCH) == CAMERA_MB
    assert memory_mb(UPDATE) == SELF_TEST_MB + AGENT_MB
    assert SelfTestLimits().memory_bytes == SELF_TEST_MB * MIB
    assert f"{WATCHING_MB} MB less" in WATCH.read_text()
    assert f"may take {SELF_TEST_MB} MB" in UPDATE.read_text()
    fleet = Path("docs/fleet.md").read_text()
    assert f"300 s and {SELF_TEST_MB} MB" in fleet
    assert f"unit has {CAMERA_MB} MB" in fleet


def test_a_bundle_whose_cameras_would_be_killed_fails_its_self_test(
    small_bundle: Path, tmp_path: Path
) -> None:
    bundle = hungry_bundle(small_bundle, tmp_path / "hungry", KILLED_SIDE)
    with pytest.raises(BundleError, match="its self-test"):
        examine_apart(bundle, SelfTestLimits())


@pytest.mark.slow
def test_a_bundle_that_just_passes_fits_into_a_camera_s_memory(small_bundle: Path, tmp_path: Path) -> None:
    """The largest of some that pass watches a video of 1080p."""
    for side in (8000, 7500, 7000):
        bundle = hungry_bundle(small_bundle, tmp_path / str(side), side)
        try:
            examine_apart(bundle, SelfTestLimits())
        except BundleError:
            continue
        break
    else:
        raise AssertionError("none has passed")
    peak_mb = most_memory_mb(bundle, write_video(tmp_path / "video.mp4", 60, (1920, 1080), "libx264", seed=1))
    print(f"\nside {side}, {peak_mb:.0f} MB")  # noqa: T201
    assert 4 * side * side / MIB < peak_mb < CAMERA_MB


def most_memory_mb(bundle: Path, video: Path) -> float:
    """The most that a watcher and the process that reads for it have held of their own, as units count it."""
    run = ["-c", "from reelflow.cli import main; main()", "watch", str(bundle), str(video), "--hop", "0.2"]
    most: dict[int, float] = {}
    with subprocess.Popen([sys.executable, *run], stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for pid in (process.pid, *children(process.pid)):
                most[pid] = max(most.get(pid, 0.0), own_mb(pid))
            time.sleep(0.01)
    assert process.returncode == 0
    return sum(most.values())


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []


def own_mb(pid: int) -> float:
    """The most that a process has had in memory, without what it has mapped of files."""
    try:
        found = dict(STATUS.findall(Path(f"/proc/{pid}/status").read_text()))
    except OSError:  # it has ended
        return 0.0
    return (int(found.get("VmHWM", 0)) - int(found.get("RssFile", 0))) / 1024
