"""A clip that is posted: classified as on the command line, in bounds, and never more than one."""

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

import pytest

from reelflow.edge.bundle import open_bundle
from reelflow.edge.classifier import Classifier
from reelflow.edge.serve import clips
from reelflow.edge.serve.app import make_app
from reelflow.edge.serve.clips import ClipDesk
from reelflow.edge.watch.stages import StageClock
from tests.bundles import write_clip
from tests.reelflow.edge.serve.asgi_client import BREAKS_OFF, STALLS, a_board, ask, asking
from tests.sink_messages import wait_for


def an_app(desk: ClipDesk):
    return make_app(a_board(), StageClock(), desk, None)


def post(desk: ClipDesk, *body: bytes | str, **headers: str):
    return ask(an_app(desk), "POST", "/classify", *body, **headers)


def instead(monkeypatch, program: str) -> ClipDesk:
    """A desk whose process runs this program."""
    monkeypatch.setattr(clips, "COMMAND", (sys.executable, "-c", program))
    return ClipDesk(Path("no-bundle"), classify_s=20)


def test_a_clip_gets_the_answer_of_the_command_line(small_bundle, tmp_path):
    content = write_clip(tmp_path / "clip.mp4").read_bytes()
    told = post(ClipDesk(small_bundle), content[:1000], content[1000:])
    assert told.status == 200, told.body
    found, expected = told.json(), Classifier(open_bundle(small_bundle)).classify(tmp_path / "clip.mp4")
    assert set(found) == {"clip", "label", "rejected", "scores", "seconds"}
    assert found["scores"] == expected.scores
    assert (found["clip"], found["label"], found["rejected"]) == ("clip", expected.label, expected.rejected)


def test_what_is_no_clip_is_told_without_a_traceback(small_bundle, temporary):
    told = post(ClipDesk(small_bundle), b"<html>this is no clip</html>")
    assert (told.status, told.json()) == (
        422,
        {"error": "it is not a readable video: Invalid data found when processing input"},
    )
    assert not list(temporary.iterdir()), "no clip is left behind"


def test_a_bundle_that_is_damaged_is_told(tmp_path):
    told = post(ClipDesk(tmp_path), b"clip")
    assert told.status == 503
    assert "bundle.json is missing" in told.json()["error"]
    assert "Traceback" not in told.json()["error"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "told"),
    [
        ((), {}, 400, "has no body"),
        ((b"12345", b"12345", b"1"), {}, 413, "larger than 10 bytes"),
        ((STALLS,), {"content_length": "11"}, 413, "larger than 10 bytes"),
        ((b"123", BREAKS_OFF), {}, 400, "has not arrived as a whole"),
        ((b"123", STALLS), {}, 408, "has not arrived within 0.05 s"),
    ],
)
def test_a_body_is_bounded_in_bytes_and_time(temporary, body, headers, status, told):
    refused = post(ClipDesk(Path("no-bundle"), most_bytes=10, upload_s=0.05), *body, **headers)
    assert (refused.status, told in refused.json()["error"]) == (status, True)
    assert not list(temporary.iterdir())


def test_a_clip_that_cannot_be_kept_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    told = post(ClipDesk(Path("no-bundle")), b"clip")
    assert (told.status, told.json()["error"]) == (507, "the clip cannot be kept: No such file or directory")


def test_one_clip_at_a_time(monkeypatch):
    desk = instead(monkeypatch, "print('{}')")
    app = an_app(desk)

    async def two() -> tuple[int, int]:
        first = asyncio.create_task(asking(app, "POST", "/classify", (b"1", STALLS)))
        await asyncio.sleep(0)
        second = await asking(app, "POST", "/classify", (b"2",))
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        third = await asking(app, "POST", "/classify", (b"3",))
        assert second.headers["retry-after"]
        return second.status, third.status

    assert asyncio.run(two()) == (429, 200)


def test_a_decoder_that_hangs_is_ended(monkeypatch):
    instead(monkeypatch, "import time; time.sleep(600)")
    told = post(ClipDesk(Path("no-bundle"), classify_s=0.1), b"clip")
    assert (told.status, told.json()["error"]) == (422, "it is not classified within 0.1 s")


def test_a_decoder_that_crashes_takes_nothing_with_it(monkeypatch):
    told = post(instead(monkeypatch, "import os; os.abort()"), b"clip")
    assert (told.status, "its decoder crashed" in told.json()["error"]) == (422, True)


def test_a_failure_here_is_told_in_a_line(monkeypatch):
    told = post(instead(monkeypatch, "raise MemoryError('no room')"), b"clip")
    assert told.status == 500
    assert told.json()["error"] == "it cannot be classified: MemoryError: no room"


def test_the_end_of_the_service_does_not_wait_for_a_clip(monkeypatch):
    desk = instead(monkeypatch, "import time; time.sleep(600)")

    def close() -> None:
        wait_for(lambda: desk._process)
        desk.close()

    closing = Thread(target=close)
    closing.start()
    told = post(desk, b"clip")
    closing.join()
    assert (told.status, told.json()["error"]) == (503, "the service ends"), "not that it took too long"
    assert post(desk, b"clip").status == 503


def test_the_process_is_behind_others_and_bounded():
    program = (
        "import os, resource, sys; before = os.nice(0);"
        "from reelflow.edge.serve import one_clip;"
        "one_clip.stay_in_bounds();"
        "print(os.nice(0) - before, resource.getrlimit(resource.RLIMIT_DATA)[0],"
        "open('/proc/self/oom_score_adj').read().strip())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["5", str(1 << 30), "1000"]
