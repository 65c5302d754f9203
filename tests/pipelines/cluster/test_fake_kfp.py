"""The fake server answers as a real one did, request by request."""

import json
import re

import pytest
import urllib3
import yaml

from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import recording
from tests.fake_kfp.server import PREFIX

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ")
IN_ORDER = [1, 12, 13, 17, 18, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 10, *range(30, 42)]
PACKAGE = yaml.safe_dump(recording(20)["response"]["pipeline_spec"])


@pytest.fixture
def fake():
    with FakeKfp() as server:
        yield server


def send(fake, method, path, body=None, package=PACKAGE):
    file = {"fields": {"uploadfile": ("pipeline.yaml", package)}} if "/upload" in path else {"json": body}
    return urllib3.request(method, fake.host + path, **file)


def comparable(document):
    """Without what differs from server to server: ids, times, the order of ids, words before a reason."""
    found = json.loads(TIME.sub("TIME", ID.sub("ID", json.dumps(document))))
    lists = {key: sorted(value, key=str) for key, value in found.items() if isinstance(value, list)}
    return found | lists | ({"message": None} if "details" in found else {})


def test_the_fake_answers_as_the_recorded_server(fake):
    pipeline = send(
        fake, "POST", f"{PREFIX}/pipelines", {"display_name": "recorded", "name": "recorded"}
    ).json()
    ids = {recording(17)["response"]["pipeline_id"]: pipeline["pipeline_id"]}
    send(
        fake, "POST", f"{PREFIX}/pipelines/upload_version?name=recorded&pipelineid={pipeline['pipeline_id']}"
    )
    ended = recording(2)["response"]
    fake.store.runs[ended["run_id"]] = ended  # which 29 asks to end
    for number in IN_ORDER:
        recorded = recording(number)
        request = json.loads(
            ID.sub(lambda found: ids.get(found[0], found[0]), json.dumps(recorded["request"]))
        )
        answer = send(fake, request["method"], request["path"], request["body"])
        told = (number, answer.status, comparable(answer.json()))
        assert told == (number, recorded["status"], comparable(recorded["response"]))
        for key, value in recorded["response"].items():
            if isinstance(value, str) and ID.fullmatch(value):
                ids[value] = answer.json()[key]


def test_a_run_at_work_is_lost_with_its_recurring_run(fake):
    """README of the recordings, and 07: RUNNING for ever, then CANCELING after a request that answers 500."""
    fake.store.recurring_runs["weekly"] = {"recurring_run_id": "weekly", "created_at": ""}
    run = {"run_id": "lost", "recurring_run_id": "weekly", "state": "RUNNING", "created_at": ""}
    fake.store.runs["lost"] = run
    assert send(fake, "DELETE", f"{PREFIX}/recurringruns/weekly").status == 200
    assert send(fake, "GET", f"{PREFIX}/runs/lost").json()["state"] == "RUNNING"
    assert send(fake, "POST", f"{PREFIX}/runs/lost:terminate").status == 500
    assert send(fake, "GET", f"{PREFIX}/runs/lost").json()["state"] == "CANCELING"


def test_what_is_no_package_is_refused_as_recorded(fake):
    path = f"{PREFIX}/pipelines/upload_version?name=nonsense&pipelineid=any"
    answer = send(fake, "POST", path, package="nonsense")
    assert (answer.status, answer.json()) == (recording(16)["status"], recording(16)["response"])
