"""Odd recordings, and a clock that is set back a year while a camera is watched."""

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import av
import numpy as np
import pytest

from tests.faults.edge.commands import RUN, shell
from tests.reelflow.edge.camera.http_camera import http_camera, steady
from tests.videos import write_video

pytestmark = pytest.mark.slow
LARGEST_BYTES = 600_000_000  # one frame of 8K has 100 MB as RGB; decoder and Pillow hold more
QUICK = ("--hop", "0.6", "--least", "0", "--on", "0.01", "--answers")
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture(scope="module")
def huge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of 8K."""
    path: Path = tmp_path_factory.mktemp("huge") / "huge.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        for number in range(20):
            image = np.full((4320, 7680, 3), 12 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("command", ["classify", "watch"])
def test_8k_frames_are_answered_within_memory_of_a_few_of_them(edge_bundle, huge, command):
    options = QUICK if command == "watch" else ("--json",)
    program = (
        "import re, resource; from reelflow.cli import app; app(standalone_mode=False); "
        "own_kb = int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]); "
        "print(max(own_kb, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, command, str(edge_bundle), str(huge), *options],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *lines, peak_kb = done.stdout.splitlines()
    assert any("scores" in json.loads(line) for line in lines)
    assert 1024 * int(peak_kb) < LARGEST_BYTES


@pytest.mark.parametrize("frames", [1, 12])
def test_a_clip_shorter_than_a_window_ends_without_an_answer_and_is_classified(edge_bundle, tmp_path, frames):
    clip = write_video(tmp_path / "short.mp4", frames=frames)
    done = shell('"$@"', "watch", edge_bundle, clip, *QUICK)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, [one["state"] for one in found]) == (0, ["connected", "ended"])
    assert shell('"$@"', "classify", edge_bundle, clip).returncode == 0


def test_a_corrupt_tail_is_the_end(edge_bundle, tmp_path):
    whole = write_video(tmp_path / "whole.ts", frames=100, seed=1, container_format="mpegts")
    content = whole.read_bytes()
    clip = tmp_path / "tail.ts"
    clip.write_bytes(content[: len(content) // 2] + b"\xa5" * 100_000)
    done = shell('"$@"', "watch", edge_bundle, clip, *QUICK)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.returncode, found[-1]["state"]) == (0, "ended")
    assert 3.0 < max(one["time_s"] for one in found if one["kind"] == "answer") < 5.5


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_a_clock_that_is_set_back_a_year_changes_only_times_of_day(edge_bundle, tmp_path):
    offset = tmp_path / "offset"
    offset.write_text("+0")
    faked = os.environ | {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    clips = tmp_path / "clips"
    with http_camera(steady()) as camera:
        line = [sys.executable, "-c", RUN, "watch", edge_bundle, camera.address, *QUICK, "--record", clips]
        with subprocess.Popen(
            line, env=faked, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout
            told = []
            for text in process.stdout:
                told.append(json.loads(text))
                answers = [one for one in told if one["kind"] == "answer"]
                if len(answers) == 5:
                    offset.write_text("-1y")
                if len(answers) == 12:
                    process.terminate()
            assert (process.wait(60), process.stderr and process.stderr.read()) == (0, "")
    years = [datetime.fromisoformat(one["told_at"]).year for one in answers]
    assert years[-1] < years[0], "the clock was set back"
    times_s = [one["time_s"] for one in answers]
    assert np.diff(times_s) == pytest.approx(0.6, abs=0.31)
    assert max(one["age_s"] for one in answers) < 1.8
    assert "lost" not in [one.get("state") for one in told]
    ends = [one for one in told if one.get("phase") == "end"]
    assert all(0 <= one["duration_s"] < 60 for one in ends)
    assert len(list(clips.glob("*.m*"))) == len([one for one in ends if one["label"] != "unsure"])
