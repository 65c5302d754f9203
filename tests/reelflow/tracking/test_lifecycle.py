"""How a cluster's runs begin and end, over a real sqlite MLflow and a real webhook."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from reelflow.errors import DataError, ReelflowError, StorageError, TrackingError
from reelflow.settings import Settings
from reelflow.sources.fetch import data_version
from reelflow.tracking import lifecycle
from reelflow.tracking.lifecycle import NOTHING_NEW, WORDLESS, InputVersions, begin, end
from reelflow.tracking.records import (
    DONE,
    FAILURE_TAG,
    OUTCOME_TAG,
    finish_run,
    forget_failure,
    record_failure,
)
from reelflow.tracking.tracker import RUN_TAG, Tracker

NOTHING = InputVersions("", "", "")


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
        Thread(target=self.server.serve_forever, args=(0.02,)).start()


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
    assert begin(settings(database, "run-2"), str(clips), "work", always=False) == (NOTHING, place)
    assert begin(settings(database, "run-2"), str(clips), "work", always=True)[0] == first
    assert begin(settings(database, "run-3"), str(clips), "other", always=False)[0] == first
    (clips / "wave" / "b.mp4").write_bytes(b"b")
    assert begin(settings(database, "run-4"), str(clips), "work", always=False)[0] not in (NOTHING, first)


@pytest.mark.parametrize("status", ["FAILED", "RUNNING"])
def test_a_run_that_has_not_finished_has_not_done_the_work(database, clips, status):
    begin(settings(database, "run-1"), str(clips), "work", always=False)
    if status == "FAILED":
        finish_run(settings(database, "run-1"), status)
    assert begin(settings(database, "run-2"), str(clips), "work", always=False)[0].data


def tags_of(database: str, **tags: str) -> None:
    tracker = Tracker(settings(database, "run-1"))
    tracker.log(tracker.parent("run-1"), tags=tags)


def done(database: str) -> None:
    tags_of(database, **{OUTCOME_TAG: DONE})


def failed(database: str) -> None:
    record_failure(settings(database, "run-1"), "frames", "no clip gave frames")


def tried_again(database: str) -> None:
    """A task failed, and its retry and all that followed ended well."""
    failed(database)
    forget_failure(settings(database, "run-1"), "frames")
    done(database)


def nothing_new(database: str) -> None:
    """As `begin` leaves it: on the finished run, for this one has none."""
    tracker = Tracker(settings(database, "run-0"))
    tracker.log(tracker.parent("run-0"), tags={NOTHING_NEW + "run-1": DONE})


def started(database: str) -> None:
    Tracker(settings(database, "run-1")).parent("run-1")


def never_started(database: str) -> None:
    """Killed in its check."""


ENDINGS = [
    # The exit handler is told COMPLETE, RUNNING, RUNNING, RUNNING, FAILED, FAILED, RUNNING, RUNNING:
    # shared/data/kfp-2.17.0/README.md of the project. No word of KFP's decides.
    pytest.param(done, "", "", id="tasks ran and ended well"),
    pytest.param(done, "training", "", id="all cached but check and release"),
    pytest.param(nothing_new, "", "", id="the If is not taken"),
    pytest.param(tried_again, "frames", "", id="a failure, then a success"),
    pytest.param(failed, "", "frames: no clip gave frames", id="a step said why"),
    pytest.param(failed, "training", "frames: no clip gave frames", id="a step's reason comes before KFP's"),
    pytest.param(started, "conversion: killed", "conversion: killed", id="a task killed for memory"),
    pytest.param(started, "", WORDLESS, id="terminated, and the API cannot be reached"),
    pytest.param(never_started, "", WORDLESS, id="killed in its check"),
]


@pytest.mark.parametrize(("leave", "told_by_kfp", "reason"), ENDINGS)
def test_a_run_ended_well_if_it_left_its_mark(database, webhooks, leave, told_by_kfp, reason):
    webhooks.append(webhook := Webhook(204))
    leave(database)
    text = end(settings(database, "run-1", webhook.url), lambda: told_by_kfp)
    if not reason:
        assert (text, webhook.heard) == ("", [])
        return
    assert text == f"reelflow run run-1 has not ended well: {reason}"
    assert webhook.heard == [{"run": "run-1", "state": "FAILED", "reason": reason, "text": text}]
    run = Tracker(settings(database, "run-1")).find({RUN_TAG: "run-1"}, "FAILED")
    assert (run is not None) == (leave is not never_started)


def test_a_check_that_finds_nothing_new_has_ended_well(database, clips):
    begin(settings(database, "run-1"), str(clips), "work", always=False)
    finish_run(settings(database, "run-1"), "FINISHED")
    begin(settings(database, "run-2"), str(clips), "work", always=False)
    assert end(settings(database, "run-2")) == ""
    assert end(settings(database, "run-3")).endswith(WORDLESS)


def test_nobody_is_left_untold_because_mlflow_is_away(webhooks):
    webhooks.append(webhook := Webhook(204))
    text = end(settings("http://127.0.0.1:9", "run-1", webhook.url), lambda: "never asked")
    assert "how it ended is not known: no MLflow server answers at http://127.0.0.1:9" in text
    assert [heard["text"] for heard in webhook.heard] == [text]


def test_the_webhook_is_tried_again(database, webhooks):
    webhooks.append(webhook := Webhook(503, 204))
    end(settings(database, "run-1", webhook.url))
    assert len(webhook.heard) == 2


def test_a_webhook_that_refuses_is_an_error_without_its_address(database, webhooks):
    webhooks.append(webhook := Webhook(403))
    with pytest.raises(TrackingError, match="the webhook answered 403") as raised:
        end(settings(database, "run-1", webhook.url))
    assert "s3cret" not in str(raised.value)


def test_clips_that_are_not_there_are_what_failed(database):
    with pytest.raises(DataError, match="/nowhere does not exist in the pod"):
        begin(settings(database, "run-1"), "/nowhere", "work", always=False)
    assert "/nowhere does not exist" in end(settings(database, "run-1"))


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
    assert versions[0].data == versions[1].data != ""
    assert versions[0].weights != versions[1].weights
    assert versions[2] == NOTHING
    with pytest.raises(DataError, match="mount a volume there"):
        begin(settings(database, "run"), str(clips), "work", always=False, weights=str(tmp_path / "none"))


def test_a_split_list_with_other_clips_is_new_work(database, tmp_path):
    clips, listed = tmp_path / "recipe.yaml", tmp_path / "train.txt"
    clips.write_text("a recipe")
    found = []
    for content in ("a/1.avi", "a/2.avi", "a/2.avi"):
        listed.write_text(content)
        name = f"run-{len(found)}"
        lists = [str(listed)]
        found.append(begin(settings(database, name), str(clips), "work", always=False, split_lists=lists)[0])
        finish_run(settings(database, name), "FINISHED")
    assert found[0] == found[1] != NOTHING
    assert found[2] == NOTHING
    with pytest.raises(DataError, match=r"correct dataset\.split_lists, or mount a volume there"):
        begin(settings(database, "run"), str(clips), "work", always=False, split_lists=["none.txt"])


def away_once(
    error: ReelflowError, version: Callable[[str, Settings], str]
) -> Callable[[str, Settings], str]:
    """Fails at first, as a server that answers later, then works."""
    error.may_pass = True
    failures = [error]

    def found(what: str, settings: Settings) -> str:
        if failures:
            raise failures.pop()
        return version(what, settings)

    return found


@pytest.mark.parametrize("patience_s", [0, 30])
def test_a_check_waits_for_a_source_that_is_away(database, clips, monkeypatch, patience_s):
    monkeypatch.setattr(lifecycle, "data_version", away_once(StorageError("s3: no answer"), data_version))
    patient = settings(database, "run-1").model_copy(update={"patience_s": patience_s})
    if not patience_s:
        with pytest.raises(StorageError, match="no answer"):
            begin(patient, str(clips), "work", always=False)
        return
    assert begin(patient, str(clips), "work", always=False)[0].data


def test_a_check_waits_for_the_mlflow_of_a_teacher(database, clips, monkeypatch):
    version = away_once(TrackingError("MLflow: no answer"), lambda teacher, _: teacher)
    monkeypatch.setattr(lifecycle, "teacher_version", version)
    patient = settings(database, "run-1").model_copy(update={"patience_s": 30})
    assert begin(patient, str(clips), "work", always=False, teachers=["models:/clips@champion"])[0].teachers


def test_another_file_to_start_from_is_new_work(database, tmp_path):
    clips, file = tmp_path / "recipe.yaml", tmp_path / "resnet50.h5"
    clips.write_text("a recipe")
    found = []
    for content in ("one", "two", "two"):
        file.write_text(content)
        name = f"run-{len(found)}"
        found.append(begin(settings(database, name), str(clips), "work", always=False, inflate=str(file))[0])
        finish_run(settings(database, name), "FINISHED")
    assert found[0] == found[1] != NOTHING
    assert found[2] == NOTHING
    with pytest.raises(DataError, match=r"correct training\.video\.inflate, or mount a volume there"):
        begin(settings(database, "run"), str(clips), "work", always=False, inflate=str(tmp_path / "none.h5"))
