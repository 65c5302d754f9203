"""Every command of docs/tour.md works as it stands there, in its order."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest

from reelflow.edge.update.agent.state import AgentState
from tests.workplace import ROOT

pytestmark = pytest.mark.timeout(3600)

BLOCK = re.compile(r"```(sh|sh arm64)\n(.*?)```", re.DOTALL)
ENOUGH_S = 3300
FPS, WIDTH, HEIGHT = 10, 640, 352
CAMERA_S = 240


def script(*kinds: str) -> str:
    """The blocks of these kinds, as one program that ends at the first command that fails."""
    blocks = BLOCK.findall((ROOT / "docs/tour.md").read_text())
    return "".join(["set -euo pipefail\n", *(text for kind, text in blocks if kind in kinds)])


def write_camera(clips: Path, path: Path) -> None:
    """A recording of another place than the clips of the tour show."""
    frames = 0
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for clip in sorted(clips.rglob("*/*.*")):
            if frames >= CAMERA_S * FPS:
                break
            with av.open(str(clip)) as source:
                every = max(1, round(float(source.streams.video[0].average_rate or FPS) / FPS))
                for place, frame in enumerate(source.decode(video=0)):
                    if place % every == 0:
                        small = frame.to_image().resize((WIDTH, HEIGHT))
                        container.mux(stream.encode(av.VideoFrame.from_image(small)))
                        frames += 1
        container.mux(stream.encode())


@pytest.fixture
def site(checkout: Path, shared_data: Path) -> Path:
    """A checkout with what the tour asks for."""
    (checkout / "ut").symlink_to(shared_data / "clips/ut_interaction")
    (checkout / "weights").symlink_to(shared_data / "weights")
    write_camera(shared_data / "clips/surveillance_fight", checkout / "camera.mp4")
    return checkout


def walk(site: Path, program: str) -> str:
    """Run the program; returns what it printed."""
    unwanted = ("MLFLOW_", "REELFLOW_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(site),
        "PYTHONWARNINGS": "ignore",
        "COLUMNS": "200",
    }
    with (site / "tour.log").open("w") as log:
        process = subprocess.Popen(
            ["bash", "-c", program],
            cwd=site,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=ENOUGH_S)
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # the receiver
    printed = (site / "tour.log").read_text()
    assert code == 0, printed[-8000:]
    return printed


def happened(site: Path, printed: str) -> None:
    """The fleet has gone the way that the tour tells."""
    told = re.sub(r"\s+", " ", printed)
    assert "is the champion of lot (version 1)" in told
    assert "(version 2 of lot) is not promoted: it is less accurate than version 1" in told
    assert "is the champion of lot (version 3): it passes every gate and is better than version 1" in told
    assert "54 that the champion was trained on are left out" in told
    assert re.search(r"refused \w+: its self-test ", told)
    assert re.search(r"rollout 2 is aborted: 1 of 1 devices fail or are silent: its self-test", told)
    lab, gate = (AgentState.read(site / f"devices/{name}/agent.json") for name in ("lab", "gate"))
    assert lab.current == gate.current
    assert lab.previous == gate.previous
    assert lab.current != lab.previous
    assert lab.trial is gate.trial is None
    assert "5 clips are new in clips" in told
    assert "DVC tracks them" in told
    assert len(list((site / "clips/push").glob("camera*.mp4"))) == 5
    assert "(version 4 of lot) is not promoted" in told
    reports = [json.loads(path.read_text()) for path in (site / "fleet").rglob("*.json")]
    assert {report["device"] for report in reports if "device" in report} == {"lab", "gate"}


@pytest.mark.slow
def test_the_tour(site: Path) -> None:
    happened(site, walk(site, script("sh")))


@pytest.mark.arm64
def test_the_tour_with_an_arm64_device(site: Path) -> None:
    happened(site, walk(site, script("sh", "sh arm64")))
