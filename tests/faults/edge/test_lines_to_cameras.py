"""A camera behind a bad line, each fault a story: it is told, nothing stale is answered, it comes back."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import av
import numpy as np
import psutil
import pytest

from reelflow.edge.watch.watcher import WatchOptions
from tests.bundles import WINDOW_S
from tests.faults.edge.line import Line, line_to
from tests.faults.pipeline.test_odd_videos import memory_of
from tests.reelflow.edge.camera.http_camera import wait_for
from tests.reelflow.edge.camera.rtsp_server import rtsp_server
from tests.reelflow.edge.watch.test_watcher import Kept, watching

pytestmark = pytest.mark.slow  # each waits for timeouts, and plays in real time

OPTIONS = WatchOptions(hop_s=0.6, timeout_s=4.0, least_s=0.0, on=0.01)
SECONDS, FPS = 120, 25
GROWTH_BYTES = 120_000_000  # a second reading process begins while the first one ends


class Files(SimpleHTTPRequestHandler):
    """A camera's files, until the client goes."""

    def do_GET(self) -> None:
        with suppress(OSError):
            super().do_GET()

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def http_line(video: Path) -> Iterator[tuple[str, Line]]:
    """A server of a file of MPEG-TS, behind a line that is as fast as the video."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(video.parent))) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with line_to(server.server_port, video.stat().st_size / SECONDS) as line:
            yield f"http://admin:s3cret@127.0.0.1:{line.port}/{video.name}?key=s3cret", line
        server.shutdown()


@contextmanager
def rtsp_line(video: Path) -> Iterator[tuple[str, Line]]:
    """A real RTSP server, which sends in real time."""
    with rtsp_server(video.with_suffix(".mp4")) as (address, _), line_to(urlsplit(address).port or 0) as line:
        yield f"rtsp://admin:s3cret@127.0.0.1:{line.port}/live", line


LINES = {"http": http_line, "rtsp": rtsp_line}
FAULTS: dict[str, tuple[Callable[[Line], object], str]] = {
    "stalls": (Line.stall, "has sent nothing for 4 s"),
    "is cut": (Line.cut, "has ended|cannot be read|has died"),
    "drips": (Line.drip, "has sent nothing for 4 s"),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes of H.264 of noise that moves, a keyframe a second, as MPEG-TS and as MP4."""
    path: Path = tmp_path_factory.mktemp("video") / "camera.ts"
    scene = np.random.default_rng(1).integers(0, 256, (120, 160, 3), np.uint8)
    for name in (path, path.with_suffix(".mp4")):
        with av.open(str(name), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "25"})
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            for number in range(SECONDS * FPS):
                image = np.roll(scene, number, axis=1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
    return path


def answers_more(kept: Kept, count: int) -> None:
    """Wait for more answers than there are."""
    answered = len(kept.answers())
    wait_for(lambda: len(kept.answers()) >= answered + count)


def is_sound(kept: Kept) -> None:
    """Nothing stale was answered, and no secret told."""
    assert all(answer.age_s <= WINDOW_S for answer in kept.answers())
    assert all(np.isfinite(list(answer.scores.values())).all() for answer in kept.answers())
    assert "s3cret" not in "".join(one.model_dump_json() for one in kept.messages)


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_line_that_fails_is_told_and_the_camera_comes_back(edge_bundle, video, kind, fault):
    spoil, told = FAULTS[fault]
    with LINES[kind](video) as (address, line), watching(edge_bundle, address, OPTIONS) as kept:
        answers_more(kept, 4)
        memory = memory_of(psutil.Process())
        spoil(line)
        wait_for(lambda: "lost" in [state.state for state in kept.states()])
        line.mend()
        answers_more(kept, 4)
        assert memory_of(psutil.Process()) < memory + GROWTH_BYTES
        assert line.connections >= 2
    reason = next(state.reason for state in kept.states() if state.state == "lost")
    assert re.search(told, reason), reason
    assert next(one.reason for one in kept.events() if one.phase == "end") == "source"
    is_sound(kept)


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize("one_in", [20_000, 500])
def test_flipped_bytes_stop_nothing_and_the_picture_heals(edge_bundle, video, kind, one_in):
    with LINES[kind](video) as (address, line), watching(edge_bundle, address, OPTIONS) as kept:
        answers_more(kept, 4)
        memory = memory_of(psutil.Process())
        line.corrupt(one_in)
        wait_for(lambda: line.spoiled > 3)
        line.mend()
        answers_more(kept, 8)
        assert memory_of(psutil.Process()) < memory + GROWTH_BYTES
    is_sound(kept)


def test_a_line_that_is_too_slow_is_told_and_the_camera_is_opened_anew(edge_bundle, video):
    with http_line(video) as (address, line), watching(edge_bundle, address, OPTIONS) as kept:
        answers_more(kept, 4)
        line.slow(0.5)
        wait_for(lambda: "lost" in [state.state for state in kept.states()])
        line.mend()
        answers_more(kept, 4)
    reason = next(state.reason for state in kept.states() if state.state == "lost")
    assert "the delay of frames keeps growing" in reason
    is_sound(kept)
