"""How a cluster's runs begin and end, over a real sqlite MLflow and a real webhook."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reelflow.errors import DataError, TrackingError
from reelflow.settings import Settings
from reelflow.tracking.lifecycle import begin, end
from reelflow.tracking.records import FAILURE_TAG, finish_run, forget_failure, record_failure
from reelflow.tracking.tracker import Tracker

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


class Webhook:
    """Answers with these codes in turn, the last one from then on."""

    def __init__(self, *codes: int) -> None:
        self.heard: list[dict[str, str]] = []
        answers = list(codes)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(handler) -> None:
                self.heard.append(json.loads(handler.rfile.read(int(handler.headers["Content-Length"]))))
                handler.send_response(answers.pop(0) if len(answers) > 1 else answers[0])
                handler.end_headers()

            def log_message(handler, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook/s3cret"
        Thread(target=self.server.serve_forever).start()


@pytest.fixture
def webhooks() -> Iterator[list[Webhook]]:
    started: list[Webhook] = []
    yield started
    for webhook in started:
        webhook.server.shutdown()
        webhook.server.server_close()


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    folder = tmp_path / "clips" / "wave"
    folder.mkdir(parents=True)
    (folder / "a.mp4").write_bytes(b"a")
    return folder.parent


def settings(database: str, run: str, webhook: str | None = None) -> Settings:
    return Settings(tracking_uri=database, run_name=run, webhook=webhook)


def test_work_is_done_once_until_the_clips_or_the_work_change(database, clips):
    first, place = begin(settings(database, "run-1"), str(clips), "work", always=False)
    assert first
    finish_run(settings(database, "run-1"), "FINISHED")
    assert begin(settings(database, "run-2"), str(clips), "work", always=False) == ("", place)
    assert begin(settings(database, "run-2"), str(clips), "work", always=True)[0] == first
    assert begin(settings(database, "run-3"), str(clips), "other", always=False)[0] == first
    (clips / "wave" / "b.mp4").write_bytes(b"b")
    assert begin(settings(database, "run-4"), str(clips), "work", always=False)[0] not in ("", first)


@pytest.mark.parametrize("status", ["FAILED", "RUNNING"])
def test_a_run_that_has_not_finished_has_not_done_the_work(database, clips, status):
    begin(settings(database, "run-1"), str(clips), "work", always=False)
    if status == "FAILED":
        finish_run(settings(database, "run-1"), status)
    assert begin(settings(database, "run-2"), str(clips), "work", always=False)[0]


def test_the_step_that_failed_is_what_is_told(database, clips, webhooks):
    webhooks.append(webhook := Webhook(204))
    begin(settings(database, "run-1"), str(clips), "work", always=False)
    record_failure(settings(database, "run-1"), "frames", "no clip gave frames")
    text = end(settings(database, "run-1", webhook.url), "FAILED", "Task run failed.")
    assert text == "reelflow run run-1 ended as FAILED: frames: no clip gave frames"
    expected = {"run": "run-1", "state": "FAILED", "reason": "frames: no clip gave frames", "text": text}
    assert webhook.heard == [expected]


def test_a_run_that_ended_well_tells_nobody(database, webhooks):
    webhooks.append(webhook := Webhook(204))
    assert end(settings(database, "run-1", webhook.url), "SUCCEEDED", "") == ""
    assert webhook.heard == []


def test_a_pod_that_was_killed_is_told_in_the_words_of_kfp(database, clips):
    begin(settings(database, "run-1"), str(clips), "work", always=False)
    assert end(settings(database, "run-1"), "FAILED", "OOMKilled").endswith(": OOMKilled")


def test_the_webhook_is_tried_again(database, webhooks):
    webhooks.append(webhook := Webhook(503, 204))
    end(settings(database, "run-1", webhook.url), "FAILED", "x")
    assert len(webhook.heard) == 2


def test_a_webhook_that_refuses_is_an_error_without_its_address(database, webhooks):
    webhooks.append(webhook := Webhook(403))
    with pytest.raises(TrackingError, match="the webhook answered 403") as raised:
        end(settings(database, "run-1", webhook.url), "FAILED", "x")
    assert "s3cret" not in str(raised.value)


def test_clips_that_are_not_there_are_what_failed(database):
    with pytest.raises(DataError, match="/nowhere does not exist in the pod"):
        begin(settings(database, "run-1"), "/nowhere", "work", always=False)
    assert "/nowhere does not exist" in end(settings(database, "run-1"), "FAILED", "")


def reason(database: str) -> str | None:
    tracker = Tracker(settings(database, "run-1"))
    return tracker.tags(tracker.parent("run-1")).get(FAILURE_TAG)


def test_a_retry_that_succeeds_takes_its_own_failure_back_and_no_other(database):
    record_failure(settings(database, "run-1"), "frames", "no clip gave frames")
    forget_failure(settings(database, "run-1"), "features")
    assert reason(database) == "frames: no clip gave frames"
    forget_failure(settings(database, "run-1"), "frames")
    assert reason(database) is None


def test_other_weights_at_the_same_place_are_new_work(database, tmp_path):
    clips, weights = tmp_path / "recipe.yaml", tmp_path / "weights"
    clips.write_text("a recipe")
    weights.mkdir()
    versions = []
    for content in ("one", "two", "two"):
        (weights / "net.tflite").write_text(content)
        name = f"run-{len(versions)}"
        found = begin(settings(database, name), str(clips), "work", always=False, weights=str(weights))
        versions.append(found[0])
        finish_run(settings(database, name), "FINISHED")
    assert versions[0]
    assert versions[1] == versions[0]
    assert versions[2] == ""
    with pytest.raises(DataError, match="mount a volume there"):
        begin(settings(database, "run"), str(clips), "work", always=False, weights=str(tmp_path / "none"))
