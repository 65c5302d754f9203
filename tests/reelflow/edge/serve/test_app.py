"""What is served: the page and its files, the picture, the state, health, and metrics."""

import io
import time
from pathlib import Path

import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from reelflow.edge.serve import live, metrics
from reelflow.edge.serve.app import FILES, make_app
from reelflow.edge.serve.clips import ClipDesk
from reelflow.edge.serve.live import EVERY_S, LiveCamera
from reelflow.edge.watch.stages import StageClock
from tests.reelflow.edge.serve.asgi_client import SetClock, a_board, a_picture, ask
from tests.sink_messages import event, reading, source


@pytest.fixture
def clock():
    return SetClock()


@pytest.fixture
def board(clock):
    return a_board(clock)


@pytest.fixture
def stages():
    return StageClock()


@pytest.fixture
def app(board, stages):
    return make_app(board, stages, ClipDesk(Path("no-bundle")), None)


def test_the_page_and_its_files_allow_nothing_from_elsewhere(app):
    page = ask(app)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for name, kind in FILES.items():
        file = ask(app, path=f"/page/{name}")
        assert (file.status, file.headers["content-type"].partition(";")[0]) == (200, kind)
        policy = file.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert b"//" not in file.body.replace(b"http://www.w3.org/2000/svg", b"").replace(b"// ", b"")
    assert b"<style" not in page.body
    assert b"style=" not in page.body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/page/../app.py", 404),
        ("GET", "/nothing", 404),
        ("POST", "/state", 405),
        ("GET", "/login", 404),
    ],
)
def test_what_is_not_served_is_told_in_json(app, method, path, status):
    told = ask(app, method, path)
    assert told.status == status
    assert told.json()["error"]


def test_a_picture_comes_with_its_age_and_once(app, board, monkeypatch):
    monkeypatch.setattr(live, "EVERY_S", 0.0)
    assert ask(app, path="/picture").status == 204
    board.show(a_picture(time.monotonic() - 2, size=(1280, 720)))
    first = ask(app, path="/picture")
    assert first.status == 200
    assert Image.open(io.BytesIO(first.body)).size == (640, 360)
    assert 2 <= float(first.headers["reelflow-age-s"]) < 60
    again = ask(app, path="/picture", if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    board.show(a_picture(level=200))
    second = ask(app, path="/picture", if_none_match=first.headers["etag"])
    assert (second.status, second.body == first.body) == (200, False)


def test_pictures_are_encoded_at_a_bounded_rate_and_tell_the_age_of_what_they_show(board, clock):
    camera = LiveCamera(board, clock)
    board.show(a_picture(clock.now_s))
    first = camera.newest()
    clock.now_s += EVERY_S / 2
    board.show(a_picture(clock.now_s))
    same = camera.newest()
    assert (same.tag, same.age_s) == (first.tag, pytest.approx(EVERY_S / 2))
    clock.now_s += EVERY_S
    newest = camera.newest()
    assert newest.tag != first.tag
    assert newest.age_s == pytest.approx(EVERY_S)


def test_a_picture_of_another_process_is_not_taken_for_the_same(board):
    board.show(a_picture())
    assert LiveCamera(board).newest().tag != LiveCamera(board).newest().tag


def test_the_state_and_the_health_tell_the_same(app, board):
    health = ask(app, path="/healthz")
    assert (health.status, health.json()["status"]) == (503, "starting")
    board.send(source("connected"))
    board.show(a_picture())
    board.send(event())
    health, state = ask(app, path="/healthz"), ask(app, path="/state").json()
    assert health.status == 200
    assert health.json().items() <= state.items()
    assert state["events"][0]["label"] == "walk"
    assert state["answer"] is None


def figures(app) -> dict[tuple[str, str], float]:
    told = ask(app, path="/metrics")
    assert told.headers["content-type"] == metrics.CONTENT_TYPE
    families = text_string_to_metric_families(told.body.decode())
    return {
        (one.name, "".join(one.labels.values())): one.value for family in families for one in family.samples
    }


def test_metrics_are_what_prometheus_reads(app, board, stages, monkeypatch):
    monkeypatch.setattr(metrics, "temperature_c", lambda: 51.5)
    board.send(source("connected"))
    board.show(a_picture())
    board.send(reading().model_copy(update={"scores": {'a "quoted"\nlabel': 0.25}, "dropped": 3}))
    board.send(event())
    stages.add("head", 0.5)
    stages.add("head", 0.25)
    found = figures(app)
    expected = {
        ("reelflow_source_connected", ""): 1,
        ("reelflow_frames_total", ""): 1,
        ("reelflow_frames_dropped_total", ""): 3,
        ("reelflow_reconnects_total", ""): 0,
        ("reelflow_frame_age_seconds", ""): 0,
        ("reelflow_score", 'a "quoted"\nlabel'): 0.25,
        ("reelflow_events_total", "walk"): 1,
        ("reelflow_stage_seconds_count", "head"): 2,
        ("reelflow_stage_seconds_sum", "head"): 0.75,
        ("reelflow_temperature_celsius", ""): 51.5,
    }
    assert expected.items() <= found.items()
    assert found["process_resident_memory_bytes", ""] > 1e6


def test_no_score_and_no_temperature_where_none_is_known(app, board, monkeypatch):
    monkeypatch.setattr(metrics, "temperature_c", lambda: None)
    board.send(reading())
    assert not {"reelflow_score", "reelflow_temperature_celsius"} & {name for name, _ in figures(app)}


def test_a_failure_here_is_told_without_a_traceback(app, monkeypatch):
    said: list[str] = []
    board = a_board()
    app = make_app(board, StageClock(), ClipDesk(Path("no-bundle")), None, say=said.append)
    monkeypatch.setattr(board, "snapshot", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # for the web server, which is told to log nothing
        ask(app, path="/state")
    assert said == ["GET /state failed: ZeroDivisionError('division by zero')"]
