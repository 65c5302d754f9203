"""Logs are read by kubectl: a script of that name stands in for it, and answers from a file of pods."""

import json
import os
import sys
from pathlib import Path

import pytest

from pipelines.cluster.runs.logs import print_log
from pipelines.cluster.runs.model import ClusterRun, ClusterTask
from reelflow.errors import ClusterError, ParamsError

KUBECTL = f"""#!{sys.executable}
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
if (here / "refuses").exists():
    sys.exit("error: You must be logged in to the server (Unauthorized)")
if sys.argv[1] == "get":
    print((here / "pods.json").read_text())
else:
    print("the log of", sys.argv[2], flush=True)
    sys.stdout.buffer.write((here / "more").read_bytes() if (here / "more").exists() else b"")
"""


def pod(name, created, task, container="main"):
    env = [{"name": "OTHER", "valueFrom": {}}, {"name": "REELFLOW_TASK", "value": task}]
    return {
        "metadata": {"name": name, "creationTimestamp": created},
        "spec": {"containers": [{"name": "wait"}, {"name": container, "env": env}]},
    }


PODS = [
    pod("impl-1", "2026-11-26T02:00:00Z", "training thumbnail-gru"),
    pod("impl-2", "2026-11-26T02:10:00Z", "training thumbnail-gru"),
    pod("impl-3", "2026-11-26T02:20:00Z", "conversion"),
    {"metadata": {"name": "driver", "creationTimestamp": "2026"}, "spec": {"containers": [{"name": "main"}]}},
]


def task(name, state="SUCCEEDED", **more):
    attempts = more.get("attempts", 1)
    return ClusterTask(name, name.split()[0], state, more.get("cached", False), attempts, None, None, "")


RUN = ClusterRun(
    "1e7e",
    "run",
    "FAILED",
    None,
    1,
    "",
    tasks=(
        task("training thumbnail-gru"),
        task("conversion", "FAILED"),
        task("frames", cached=True, attempts=None),
        task("release", "NOT RUN", attempts=None),
        task("dataset"),
    ),
)


@pytest.fixture
def kubectl(tmp_path, monkeypatch) -> Path:
    """A folder that is first on the PATH."""
    script = tmp_path / "kubectl"
    script.write_text(KUBECTL)
    script.chmod(0o755)
    (tmp_path / "pods.json").write_text(json.dumps({"items": PODS}))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def asked(folder):
    return [json.loads(line) for line in (folder / "asked").read_text().splitlines()]


@pytest.mark.parametrize("name", ["training thumbnail-gru", "training"])
def test_the_log_is_that_of_the_last_attempt(kubectl, capsys, name):
    print_log(RUN, name, "team", "LINK")
    assert capsys.readouterr().out == "the log of impl-2\n"
    listing, reading = asked(kubectl)
    assert listing == [
        "get",
        "pods",
        "--namespace",
        "team",
        "--selector",
        "pipeline/runid=1e7e",
        "--output",
        "json",
    ]
    assert reading == ["logs", "impl-2", "--namespace", "team", "--container", "main"]


def test_a_log_may_hold_any_bytes(kubectl, capsys):
    (kubectl / "more").write_bytes(b"cannot decode caf\xe9.avi\n")
    print_log(RUN, "conversion", "team", "LINK")
    assert capsys.readouterr().out.endswith("cannot decode caf\N{REPLACEMENT CHARACTER}.avi\n")


def test_a_log_is_followed(kubectl, capsys):
    print_log(RUN, "conversion", "team", "LINK", follow=True)
    assert asked(kubectl)[-1][-1] == "--follow"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("frames", "was cached: it had no pod"),
        ("release", "has not begun .NOT RUN."),
        ("dataset", "has no pod in the namespace team any more: name another --namespace, or .* at LINK"),
    ],
)
def test_a_task_without_a_pod_says_why(kubectl, name, told):
    with pytest.raises(ClusterError, match=told):
        print_log(RUN, name, "team", "LINK")


def test_an_unknown_task_is_answered_with_the_known_ones(kubectl):
    with pytest.raises(ParamsError, match="no task gru; expected one of: training thumbnail-gru, conversion"):
        print_log(RUN, "gru", "team", "LINK")
    assert not (kubectl / "asked").exists()


def test_a_refusal_of_kubectl_is_quoted(kubectl):
    (kubectl / "refuses").touch()
    with pytest.raises(ClusterError, match=r"(?s)failed: error: You must be logged in .*get-contexts"):
        print_log(RUN, "conversion", "team", "LINK")


def test_without_kubectl_it_is_said_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ClusterError, match=r"kubectl, .* is not on the PATH: install it"):
        print_log(RUN, "conversion", "team", "LINK")
