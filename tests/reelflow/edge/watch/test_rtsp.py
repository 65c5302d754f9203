"""A camera behind a real RTSP server: watched, frozen, given up, and found again."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from reelflow.edge.recording.keeper import RecordOptions
from reelflow.edge.watch.watcher import WatchOptions
from tests.reelflow.edge.camera.http_camera import wait_for
from tests.reelflow.edge.camera.rtsp_server import rtsp_server
from tests.reelflow.edge.watch.test_watcher import watching

pytestmark = pytest.mark.slow  # GStreamer, which `make test-slow` installs

OPTIONS = WatchOptions(hop_s=0.6, timeout_s=5.0, least_s=0.0, on=0.01)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of H.264 with B-frames."""
    path: Path = tmp_path_factory.mktemp("video") / "camera.mp4"
    chance = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=25, options={"preset": "ultrafast", "g": "25", "bf": "2"}
        )
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        scene = chance.integers(0, 256, (120, 160, 3), np.uint8)
        for number in range(25 * 120):
            image = np.roll(scene, number, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_camera_that_freezes_is_given_up_and_found_again(edge_bundle, video):
    with rtsp_server(video) as (address, server), watching(edge_bundle, address, OPTIONS) as kept:
        wait_for(lambda: len(kept.answers()) > 6)
        os.kill(server.pid, signal.SIGSTOP)
        wait_for(lambda: any(state.state == "lost" for state in kept.states()))
        answered = len(kept.answers())
        os.kill(server.pid, signal.SIGCONT)
        wait_for(lambda: len(kept.answers()) > answered + 6)
    states = [state.state for state in kept.states()]
    assert states[:3] == ["connected", "lost", "connected"]
    assert "has sent nothing for 5 s" in next(s.reason for s in kept.states() if s.state == "lost")
    assert all(answer.age_s <= 1.8 for answer in kept.answers())
    assert "s3cret" not in "".join(one.model_dump_json() for one in kept.messages)


def test_a_wrong_password_is_told(edge_bundle, video):
    with rtsp_server(video) as (address, _):
        wrong = address.replace("s3cret", "wr0ng")
        with watching(edge_bundle, wrong, OPTIONS) as kept:
            wait_for(lambda: bool(kept.states()))
    assert "authorization failed" in kept.states()[0].reason
    assert "wr0ng" not in kept.states()[0].reason


def test_a_clip_of_an_event_is_what_the_camera_sent(edge_bundle, shared_data, tmp_path):
    """A real clip of people, played again and again, as H.264 with B-frames and a keyframe a second."""
    if not shutil.which("ffprobe"):
        pytest.skip("ffmpeg is not installed")
    source = sorted((shared_data / "clips/ut_interaction/hug").iterdir())[0]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-an"]
    video = tmp_path / "camera.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-stream_loop", "10", "-i", source, *coded, video], check=True, timeout=120
    )
    recording = RecordOptions(tmp_path / "clips", before_s=3.0, after_s=2.0)
    options = WatchOptions(hop_s=0.6, timeout_s=30.0, least_s=0.0, on=0.01, recording=recording)
    with rtsp_server(video) as (address, _), watching(edge_bundle, address, options) as kept:
        wait_for(lambda: any(answer.time_s > 12 for answer in kept.answers()))
    (end,) = [event for event in kept.events() if event.phase == "end"][:1]
    (clip,) = (tmp_path / "clips").glob(f"*{end.id}.mp4")
    entries = "stream=codec_name,start_time,duration,nb_frames:packet=pts_time,flags"
    shown = subprocess.run(
        ["ffprobe", "-v", "error", "-of", "json", "-show_packets", "-show_entries", entries, clip],
        check=True,
        capture_output=True,
        timeout=60,
    )
    found = json.loads(shown.stdout)
    (stream,) = found["streams"]
    assert stream["codec_name"] == "h264"
    assert abs(float(stream["start_time"])) < 0.01
    assert found["packets"][0]["flags"].startswith("K")
    # before the event no more than the stream has shown, and stopped before `after` is over
    assert end.duration_s + 0.5 < float(stream["duration"]) < end.duration_s + 3.0 + 2.0 + 1.5
    decoded = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", clip, "-f", "null", "-"], capture_output=True, text=True, timeout=60
    )
    assert (decoded.returncode, decoded.stderr) == (0, "")
