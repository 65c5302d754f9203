"""Servers that answer in an odd way, and settings by which no request is sent."""

import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from unittest.mock import Mock

import pytest
from mlflow.exceptions import MlflowException

from reelflow.errors import TrackingError
from reelflow.settings import Settings
from reelflow.tracking import client, tracker
from reelflow.tracking.client import is_reachable, is_well
from reelflow.tracking.records import prepare

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LOGIN = b"<!DOCTYPE html><html><head><title>Sign in\n to Corp</title></head>" + b"<p>who?</p>" * 5000
Answers = Callable[..., str]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    """Starts a server that gives every request the same answer; returns its address."""
    started: list[ThreadingHTTPServer] = []
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    client._connect.cache_clear()

    def start(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> str:
        class Odd(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                is_login = self.path == "/login"
                self.send_response(200 if is_login else status)
                for name, value in {} if is_login else (headers or {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(LOGIN if is_login else body)

            do_POST = do_GET

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
        started.append(server)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def refusal(address: str) -> TrackingError:
    """Why a run does not start there."""
    with pytest.raises(TrackingError) as caught:
        prepare(Settings(MLFLOW_TRACKING_URI=address, REELFLOW_RUN="r"))
    assert "\n" not in str(caught.value), "one line"
    assert len(str(caught.value)) < 1000, "no page"
    return caught.value


def test_a_wait_that_the_server_asks_for_is_not_obeyed(odd: Answers) -> None:
    """`Retry-After: 3600` held the thread that records up for hours (urllib3.util.Retry.sleep)."""
    began = time.monotonic()
    found = refusal(odd(429, headers={"Retry-After": "3600"}))
    assert time.monotonic() - began < 30
    assert found.may_pass


@pytest.mark.parametrize(
    ("status", "headers"), [(302, {"Location": "/login"}), (307, {"Location": "/login"}), (200, {})]
)
def test_a_login_page_is_told_by_its_title(odd: Answers, status: int, headers: dict[str, str]) -> None:
    """The message was the whole page: 55 kB on the terminal."""
    text = str(refusal(odd(status, LOGIN, headers)))
    assert "a page in place of MLflow's answer: 'Sign in to Corp'; look for a login or a proxy" in text


@pytest.mark.parametrize("status", [401, 403])
def test_who_may_not_in_is_told_what_to_set(odd: Answers, status: int) -> None:
    found = refusal(odd(status, b"no"))
    assert "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or a new MLFLOW_TRACKING_TOKEN" in str(
        found
    )
    assert not found.may_pass


@pytest.mark.parametrize(
    ("status", "advice"), [(413, "take larger requests"), (403, "set MLFLOW_TRACKING_USERNAME")]
)
def test_a_page_of_a_proxy_hides_no_advice(odd: Answers, status: int, advice: str) -> None:
    """nginx answers 413 to a large model with a page of its own."""
    text = str(refusal(odd(status, b"<html><head><title>Oh no 401</title></head></html>")))
    assert "a page in place of MLflow's answer: 'Oh no 401'" in text
    assert text.partition("; ")[2].find(advice) >= 0


def test_half_an_answer_may_pass(odd: Answers) -> None:
    assert refusal(odd(200, b'{"experiment": {"experiment_id": "1", "na')).may_pass


@pytest.mark.parametrize(
    "variables",
    [
        {"MLFLOW_TRACKING_TOKEN": "s3cr3t-t0ken\n"},
        {"MLFLOW_TRACKING_TOKEN": "s3cr3t-t0ken\nsecond-line"},
        {"MLFLOW_TRACKING_TOKEN": "s3cr3t-t0ken日"},
        {"HTTP_PROXY": "nonsense:::", "NO_PROXY": ""},
        {"MLFLOW_TRACKING_AUTH": "kubernetes", "KUBECONFIG": "/dev/null"},
    ],
)
def test_a_setting_by_which_no_request_is_sent_is_no_outage(
    odd: Answers, variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token from a file has a line break: it was shown, and taken for a server that is away."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = refusal(odd(200, b"{}"))
    assert "no request can be sent: correct the variables" in str(found)
    assert not found.may_pass
    assert "s3cr3t" not in str(found)
    assert "second" not in str(found)


@pytest.mark.parametrize(
    "variables",
    [
        {"MLFLOW_TRACKING_INSECURE_TLS": "maybe"},
        {"MLFLOW_TRACKING_INSECURE_TLS": "true", "MLFLOW_TRACKING_SERVER_CERT_PATH": "/x"},
        {"MLFLOW_TRACKING_AWS_SIGV4": "true"},
    ],
)
def test_settings_that_contradict_each_other_are_no_traceback(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert not is_reachable(settings)
    assert not is_well(settings)


def test_a_server_that_goes_during_the_first_check_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was told as a server that keeps no models, so that a run at a known address did not start."""
    client = Mock()
    client.create_logged_model.side_effect = MlflowException("too many 500 error responses")
    monkeypatch.setattr(tracker, "connect", lambda _: (client, "1"))
    known = tracker.Tracker(Settings(MLFLOW_TRACKING_URI="http://127.0.0.1:9"))
    with pytest.raises(TrackingError, match="too many 500") as caught:
        known.check_writable("r")
    assert caught.value.may_pass
    client.create_logged_model.side_effect = MlflowException("no such page", error_code=5)  # NOT_FOUND
    with pytest.raises(TrackingError, match="reelflow needs a server of MLflow 3") as caught:
        known.check_writable("r")
    assert not caught.value.may_pass
