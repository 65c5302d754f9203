"""The page in a real browser, of a real clip that a camera plays until it freezes."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import av
import pytest

from reelflow.backbones.thumbnail import SPEC
from reelflow.contracts import Sampling
from tests.browser import BrowserPage, browser_page
from tests.bundles import FRAMES, random_head, write_bundle
from tests.reelflow.edge.camera.http_camera import http_camera, wait_for
from tests.reelflow.edge.camera.rtsp_server import rtsp_server
from tests.reelflow.edge.serve.served import Service, jpegs_of, playing, served

pytestmark = pytest.mark.browser

LABELS = ('<b id="evil">grow</b>', "shrink", "spin")
SECRET = "0123456789abcdef-secret"
QUICK = ("--hop", "0.5", "--least", "0", "--on", "0.01", "--timeout", "6")
MEAN_COLOUR = """(() => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(document.getElementById("picture"), 0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
})()"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("bundle") / "bundle"
    model = random_head("gru", frames=FRAMES, dim=SPEC.dim, classes=len(LABELS))
    write_bundle(folder, model, LABELS, frames=FRAMES, sampling=Sampling(frames=FRAMES, clip_s=1.8))
    return folder


@pytest.fixture(scope="module")
def clip(shared_data: Path) -> Path:
    return min((shared_data / "clips" / "ut_interaction" / "hug").iterdir())


@pytest.fixture
def page(chromium: str, tmp_path: Path) -> Iterator[BrowserPage]:
    with browser_page(chromium, tmp_path / "profile") as found:
        found.look(1180, 860)
        yield found


def picture_is(page: BrowserPage, state: str) -> bool:
    return bool(page.value("document.body?.dataset.picture") == state)


def shown_live(page: BrowserPage, size: tuple[int, int]) -> None:
    """The page shows what the camera shows, and what is made of it."""
    wait_for(lambda: picture_is(page, "live"))
    assert page.value("[picture.naturalWidth, picture.naturalHeight]") == list(size)
    seen = page.value("picture.src")
    wait_for(lambda: page.value("picture.src") != seen)
    wait_for(lambda: page.text("#label") in LABELS)
    scores = page.value(
        "[...document.querySelectorAll('#scores li')].map((row) => row.innerText.split('\\n'))"
    )
    assert {label for label, _ in scores} == set(LABELS)
    assert sum(float(score) for _, score in scores) == pytest.approx(1, abs=0.02)
    wait_for(lambda: page.value("strip.children.length") >= 2)
    wait_for(lambda: "goes on" in page.text("#events"))
    assert page.text("#badge") == "Live"
    assert page.text("#status") == "watching"
    assert page.value("document.getElementById('evil')") is None, "labels are text"
    assert "s3cret" not in page.value("document.documentElement.innerHTML")
    assert page.complaints == []


def marked_as_stale(page: BrowserPage) -> None:
    """What was live no longer is, and the older it grows, the older it is said to be."""
    wait_for(lambda: picture_is(page, "stale"))
    first = page.text("#badge")
    assert first.startswith("Not live: ")
    wait_for(lambda: page.text("#badge") not in ("Live", first))
    assert page.text("#label") == "No answer now"
    assert page.text("#scores") == ""
    assert page.value("document.title").startswith("not live")
    assert "grayscale" in page.value("getComputedStyle(picture).filter")
    wait_for(lambda: page.text("#status") == "lost")
    assert "has sent nothing for 6 s" in page.text("#alert")
    assert "goes on" not in page.text("#events")


def marked_as_away(page: BrowserPage, service: Service) -> None:
    """The service has died, and the picture of its last moment stays on the screen."""
    service.process.kill()
    wait_for(lambda: page.text("#status") == "no connection")
    assert picture_is(page, "stale")
    assert page.text("#alert") == "The service does not answer."


def test_the_page_shows_a_camera_until_it_freezes_and_when_it_is_back(bundle, clip, page):
    pictures, frozen, back = jpegs_of(clip), Event(), Event()
    with av.open(str(clip)) as container:
        size = container.streams.video[0].width, container.streams.video[0].height
        colour = next(container.decode(video=0)).to_ndarray(format="rgb24").mean(axis=(0, 1))
    steps = playing(pictures, frozen), playing(pictures, Event(), back)
    with http_camera(*steps) as camera, served(bundle, camera.address, *QUICK) as service:
        page.open(service.url)
        shown_live(page, size)
        assert page.value(MEAN_COLOUR) == pytest.approx(list(colour), abs=25)
        frozen.set()
        marked_as_stale(page)
        back.set()
        shown_live(page, size)
        marked_as_away(page, service)


def test_a_picture_that_no_longer_comes_is_stale_even_if_nobody_says_so(bundle, clip, page):
    """A service that is stopped in the middle holds its connections and says nothing."""
    steps = playing(jpegs_of(clip), Event())
    with http_camera(steps) as camera, served(bundle, camera.address, *QUICK) as service:
        page.open(service.url)
        wait_for(lambda: picture_is(page, "live"))
        os.kill(service.process.pid, signal.SIGSTOP)
        wait_for(lambda: picture_is(page, "stale"))
        wait_for(lambda: page.text("#status") == "no connection")
        os.kill(service.process.pid, signal.SIGCONT)
        wait_for(lambda: picture_is(page, "live"))


def test_a_browser_signs_in(bundle, clip, page):
    steps = playing(jpegs_of(clip), Event())
    options = (*QUICK, "--token", "env:PAGE_TOKEN")
    with (
        http_camera(steps) as camera,
        served(bundle, camera.address, *options, PAGE_TOKEN=SECRET) as service,
    ):
        page.open(service.url)
        sign_in(page, "wrong")
        wait_for(lambda: "not the token" in page.text("[role=alert]"))
        sign_in(page, SECRET)
        wait_for(lambda: picture_is(page, "live"))
        assert page.value("document.cookie") == "", "no script reads it"
        assert page.value("location.href") == service.url


def sign_in(page: BrowserPage, secret: str) -> None:
    wait_for(lambda: page.value("document.forms.length") == 1)
    page.value(f"token.value = '{secret}'; document.forms[0].submit()")


@pytest.mark.slow  # GStreamer, which `make test-slow` installs
def test_the_page_shows_an_rtsp_camera_until_it_freezes(bundle, clip, page, tmp_path):
    size = write_h264(clip, tmp_path / "camera.mp4", rounds=12)
    with (
        rtsp_server(tmp_path / "camera.mp4") as (address, server),
        served(bundle, address, *QUICK) as service,
    ):
        page.open(service.url)
        shown_live(page, size)
        os.kill(server.pid, signal.SIGSTOP)
        marked_as_stale(page)
        os.kill(server.pid, signal.SIGCONT)
        shown_live(page, size)


def write_h264(clip: Path, path: Path, rounds: int) -> tuple[int, int]:
    """The clip over and over, as a camera encodes it; returns its size."""
    with av.open(str(clip)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    height, width = (side - side % 2 for side in frames[0].shape[:2])
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "g": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for image in frames * rounds:
            cut = image[:height, :width].copy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cut, format="rgb24")))
        container.mux(stream.encode())
    return width, height
