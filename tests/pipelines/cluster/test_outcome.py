"""The exit handler as a pod runs it: the function of the component, a real MLflow file, a recorded KFP."""

import json
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import pytest

from pipelines.cluster.outcome import outcome
from reelflow.settings import Settings
from reelflow.tracking.lifecycle import WORDLESS
from reelflow.tracking.tracker import Tracker

RECORDED = Path(__file__).parents[2] / "fake_kfp" / "recordings" / "06-run-failed-late.json"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[str]:
    """Answers for the run `night` as KFP 2.17.0 did for a run that failed in conversion."""
    answer = tmp_path / "api" / "apis" / "v2beta1" / "runs" / "night"
    answer.parent.mkdir(parents=True)
    answer.write_text(json.dumps(json.loads(RECORDED.read_text())["response"]))
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path / "api")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.02,)).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, api: str) -> str:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", database)
    monkeypatch.setenv("REELFLOW_RUN", "night")
    Tracker(Settings(tracking_uri=database)).parent("night")
    outcome.python_func(api=api, failure=SimpleNamespace(path=str(tmp_path / "failure")))
    return (tmp_path / "failure").read_text()


def test_a_task_that_was_killed_is_named_where_kfp_can_be_asked(tmp_path, monkeypatch, database, api):
    assert told(tmp_path, monkeypatch, database, api).endswith(f": conversion: {WORDLESS}")


def test_without_kfp_it_is_said_that_nothing_is_known(tmp_path, monkeypatch, database):
    assert told(tmp_path, monkeypatch, database, "http://127.0.0.1:9").endswith(WORDLESS)


def test_the_recording_names_dags_and_pods_beside_our_tasks():
    tasks = json.loads(RECORDED.read_text())["response"]["run_details"]["task_details"]
    failed = {task.get("display_name") for task in tasks if task.get("state") == "FAILED"}
    assert {"conversion", "conversion(0)", "executor", "root", "exit-handler-1", "outcome"} <= failed
