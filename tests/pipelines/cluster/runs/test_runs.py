"""Runs are listed, shown, waited for and ended."""

import json
from io import StringIO

import pytest
from rich.console import Console

from pipelines.cluster.runs.failures import explain_failure, with_reason
from pipelines.cluster.runs.model import ClusterRun, ClusterTask
from pipelines.cluster.runs.read import get_run, list_runs
from pipelines.cluster.runs.records import recorded_tags, with_transfers
from pipelines.cluster.runs.view import print_run
from pipelines.cluster.runs.wait import wait
from pipelines.cluster.submit import submit
from reelflow.errors import ClusterError, StepError
from reelflow.settings import Settings
from reelflow.tracking.records import prepare, record_failure
from reelflow.tracking.transfers import Transfer, record_transfer
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import cluster_file, config_for, quick_client, recording, small_package
from tests.fake_kfp.shell import shell
from tests.pipelines.cluster.runs.specs import WHOLE


@pytest.fixture
def fake():
    with FakeKfp("team") as server:
        yield server


@pytest.fixture
def config(fake, tmp_path):
    return config_for(tmp_path, fake)


@pytest.fixture
def client(config):
    return quick_client(config)


@pytest.fixture
def command(fake, tmp_path, monkeypatch, capsys):
    run, cluster = shell(monkeypatch, capsys), cluster_file(tmp_path, fake)
    return lambda *words: run(*words, "--cluster", cluster)


def start(fake, client, config, name="mine", **changes):
    run = fake.store.runs[submit(client, config.kfp, small_package(), name)]
    run.update(changes)
    return run["run_id"]


def recorded(number):
    """What of a recorded run is not its name."""
    kept = ("created_at", "finished_at", "run_details", "state", "state_history", "recurring_run_id")
    return {key: value for key, value in recording(number)["response"].items() if key in kept}


def with_spec(fake, run_id, spec):
    """The run's pipeline has this spec."""
    version = fake.store.runs[run_id]["pipeline_version_reference"]["pipeline_version_id"]
    fake.store.versions[version]["pipeline_spec"] = spec
    return run_id


def test_the_latest_runs_come_first_across_pages(fake, client, config, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.api.client.PAGE_SIZE", 2)
    for number in range(5):
        start(fake, client, config, f"run {number}")
    names = [run.name for run in list_runs(client, config.kfp.experiment, 3)]
    assert names == ["run 4", "run 3", "run 2"]
    assert len(list_runs(client, config.kfp.experiment, 10)) == 5


def test_no_experiment_means_no_runs(client, config):
    assert list_runs(client, config.kfp.experiment, 3) == []


def test_a_run_shows_its_tasks_by_the_names_of_its_pipeline(fake, client, config):
    run = get_run(client, with_spec(fake, start(fake, client, config, **recorded(5)), WHOLE))
    assert [(t.name, t.state, t.duration_s) for t in run.tasks[:3]] == [
        ("check", "FAILED", 61.0),
        ("outcome", "SUCCEEDED", 20.0),
        ("dataset", "NOT RUN", None),
    ]
    assert (run.ended, run.well, run.cancelled) == (True, False, False)


def test_a_run_whose_version_was_deleted_is_shown_by_kfp_s_names(fake, client, config):
    run_id = start(fake, client, config, **recorded(3))
    fake.store.versions.clear()
    assert "training-3" in [task.name for task in get_run(client, run_id).tasks]


@pytest.mark.parametrize(
    "spec", [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "spec": {}}, None]
)
def test_a_run_of_somebody_else_s_workflow_is_shown_by_kfp_s_names(fake, client, config, command, spec):
    run_id = with_spec(fake, start(fake, client, config, **recorded(3)), spec)
    shown = command("status", run_id)
    assert (shown.code, "training-3" in shown.out) == (0, True), shown.err


@pytest.mark.parametrize(("kind", "times"), [("reset", 7), (500, 3), (503, 7)])
def test_waiting_goes_on_while_the_server_is_away(fake, client, config, kind, times):
    run_id = start(fake, client, config)
    seen = []

    def tell(run):
        seen.append(run.state)
        if len(seen) == 1:
            fake.fail(kind, times=times)
            fake.store.runs[run_id]["state"] = "SUCCEEDED"

    assert wait(client, run_id, 0.01, tell).well
    assert seen == ["PENDING", "SUCCEEDED"]


def test_waiting_ends_when_the_server_stays_away(fake, client, config):
    run_id = start(fake, client, config)
    fake.fail(503, times=1000)
    with pytest.raises(ClusterError, match="answered 503"):
        wait(client, run_id, 0.01, lambda run: None)


def test_runs_are_listed_and_no_name_is_cut(fake, client, config, command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    name = "my [bold]run of a name that is longer than forty letters"
    run_id = start(fake, client, config, name, **recorded(5))
    listed = command("runs")
    assert listed.code == 0, listed.err
    (line,) = [line for line in listed.out.splitlines() if run_id in line]
    assert all(word in line for word in (name, "FAILED", "2026-11-26 02:39", "0:02:01"))


def test_status_shows_one_row_a_task(fake, client, config, command):
    run_id = with_spec(fake, start(fake, client, config, **recorded(3)), WHOLE)
    shown = command("status", run_id)
    assert shown.code == 0, shown.err
    heading, *lines, last = shown.out.splitlines()
    assert heading.split() == ["task", "state", "cached", "attempts", "duration", "read", "written", "error"]
    assert len(lines) == 14
    (row,) = [line for line in lines if line.startswith("training thumbnail-gru")]
    assert row.split() == ["training", "thumbnail-gru", "SUCCEEDED", "cached", "0:00:00"]
    (row,) = [line for line in lines if line.startswith("release")]
    assert row.split() == ["release", "SUCCEEDED", "1", "0:01:19"]
    assert last == f"mine ({run_id}): SUCCEEDED, 0:04:58"


def test_status_prints_one_json_document(fake, client, config, command):
    run_id = with_spec(fake, start(fake, client, config, **recorded(3)), WHOLE)
    shown = command("status", run_id, "--json")
    document = json.loads(shown.out)
    assert (document["id"], document["state"], document["duration_s"]) == (run_id, "SUCCEEDED", 298)
    first = document["tasks"][0]
    assert (first["name"], first["attempts"], first["started"]) == ("check", 1, "2026-11-26T02:29:21+00:00")
    assert len(document["tasks"]) == 14
    waited = command("status", run_id, "--json", "--wait")
    assert json.loads(waited.out) == document


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_error_of_a_task_is_what_its_step_left_in_mlflow(database):
    settings = Settings(tracking_uri=database, run_name="night")
    assert recorded_tags(settings, "night") == {}
    reason = "MLflow at http://mlflow: no answer\n\tstart it, and run it again"
    record_failure(settings, "training thumbnail-gru", reason)
    told = recorded_tags(settings, "night")
    states = {"conversion": "FAILED", "training thumbnail-gru": "FAILED", "release": "SUCCEEDED"}
    tasks = [ClusterTask(name, name, state, False, 1, None, 1, "") for name, state in states.items()]
    run = with_reason(ClusterRun("night", "n", "FAILED", None, 1, "", tasks=tuple(tasks)), told)
    assert [task.error for task in run.tasks] == ["", "MLflow at http://mlflow: no answer", ""]
    line = explain_failure(run, "LINK")
    assert "failed in conversion, training thumbnail-gru: MLflow at http://mlflow: no answer (log: " in line
    assert "\n" not in line


def test_without_mlflow_nothing_is_recorded():
    assert recorded_tags(Settings(tracking_uri="http://127.0.0.1:9"), "night") == {}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_status_shows_what_each_task_moved_and_the_sum(database):
    settings = Settings(tracking_uri=database, run_name="night")
    record_transfer(settings, "frames", Transfer(written_bytes={"frames": 1}))
    assert recorded_tags(settings, "night") == {}, "a run is never made by a task's transfers"
    prepare(settings)
    record_transfer(settings, "frames", Transfer(written_bytes={"frames": 48_000_000}))
    record_transfer(settings, "training thumbnail-gru", Transfer(read_bytes={"features": 2_500_000}))
    tasks = [
        ClusterTask(name, name, "SUCCEEDED", False, 1, None, 1, "")
        for name in ("frames", "training thumbnail-gru", "release")
    ]
    run = ClusterRun("night", "n", "SUCCEEDED", None, 1, "", tasks=tuple(tasks))
    run = with_transfers(run, recorded_tags(settings, "night"))
    assert [task.read_bytes for task in run.tasks] == [0, 2_500_000, None]
    console = Console(file=StringIO(), width=200)
    print_run(run, console)
    frames, training, release, last = console.file.getvalue().splitlines()[1:]
    assert frames.rstrip().endswith("0 bytes  48.0 MB")
    assert training.rstrip().endswith("2.5 MB   0 bytes")
    assert release.split() == ["release", "SUCCEEDED", "1", "0:00:01"]
    assert last.endswith("2.5 MB read from the store, 48.0 MB written to it")


FAILURES = [
    (5, "failed in check: no reason is recorded: it was killed, ran out of memory or time"),
    (4, "was cancelled during check"),
    (6, "failed in conversion: no reason is recorded"),
]


@pytest.mark.parametrize(("number", "told"), FAILURES, ids=["failed", "cancelled", "failed late"])
def test_the_last_line_says_what_failed_and_why(fake, client, config, command, number, told):
    run_id = with_spec(fake, start(fake, client, config, **recorded(number)), WHOLE)
    done = command("status", run_id, "--wait")
    assert done.code == StepError.exit_code
    last = done.err.splitlines()[-1]
    assert last.startswith(f"error: the run {run_id} {told}")
    assert f"{fake.host}/#/runs/details/{run_id}" in last


@pytest.mark.parametrize("words", [(), ("--wait",)])
def test_an_orphan_is_told_and_not_waited_for(fake, client, config, command, words):
    run_id = start(fake, client, config, **recorded(7))
    done = command("status", run_id, *words)
    assert done.code == (ClusterError.exit_code if words else 0)
    told = done.out.splitlines()[-1]
    assert "CANCELING" in told
    assert "an orphan: its recurring run 9c345c60-4d61-4e26-b9af-0b280b51acaf was deleted while" in told
    assert "archive it at" in told
    assert ("is an orphan" in done.err) == bool(words)


@pytest.mark.parametrize("words", [("training", "thumbnail-gru"), ("training thumbnail-gru",)])
def test_logs_finds_the_task_and_asks_for_kubectl(fake, client, config, command, monkeypatch, words):
    monkeypatch.setenv("PATH", "")
    run_id = with_spec(fake, start(fake, client, config, **recorded(2)), WHOLE)
    done = command("logs", run_id, *words)
    assert done.code == ClusterError.exit_code
    assert "kubectl, which reads pods and logs, is not on the PATH" in done.err


def test_cancel_ends_a_run(fake, client, config, command):
    run_id = start(fake, client, config, state="RUNNING")
    done = command("cancel", run_id)
    assert (done.code, fake.store.runs[run_id]["state"]) == (0, "CANCELING"), done.err
    assert f"python -m pipelines status {run_id}" in done.out
    assert command("cancel", run_id).code == 0  # it is already on its way


def test_cancel_of_a_run_that_has_ended_changes_nothing(fake, client, config, command):
    run_id = start(fake, client, config, **recorded(3))
    before = len(fake.writes)
    done = command("cancel", run_id)
    assert (done.code, len(fake.writes)) == (0, before)
    assert "has already ended: SUCCEEDED" in done.out


@pytest.mark.parametrize("kind", ["reset", "lost", 503])
def test_an_answer_lost_on_cancel_is_no_failure(fake, client, config, command, kind):
    run_id = start(fake, client, config, state="RUNNING")
    fake.fail(kind, path=":terminate$")
    assert command("cancel", run_id).code == 0
    assert fake.store.runs[run_id]["state"] == "CANCELING"


def test_an_orphan_cannot_be_cancelled(fake, client, config, command):
    run_id = start(fake, client, config, state="RUNNING", recurring_run_id="gone")
    before = len(fake.writes)
    done = command("cancel", run_id)
    assert (done.code, len(fake.writes)) == (ClusterError.exit_code, before)
    assert "is an orphan" in done.err


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 8), ("CANCELED", 8)])
def test_waiting_tells_how_it_ended(fake, client, config, command, state, code):
    run_id = start(fake, client, config, state=state)
    done = command("status", run_id, "--wait")
    assert done.code == code
    assert (f"ended as {state}, but no task failed" in done.err) == (code == StepError.exit_code)


def test_a_run_that_is_not_there_is_said(command):
    done = command("status", "00000000-0000-4000-8000-00000000ffff")
    assert (done.code, "answered 404" in done.err) == (ClusterError.exit_code, True)
    assert "`python -m pipelines runs` lists runs" in done.err
