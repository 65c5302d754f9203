"""Runs are listed, shown and waited for."""

import pytest

from pipelines.cluster.runs import get_run, list_runs, wait
from pipelines.cluster.submit import submit
from reelflow.errors import ClusterError, StepError
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.place import cluster_file, config_for, quick_api, small_package
from tests.fake_kfp.shell import shell


@pytest.fixture
def fake():
    with FakeKfp("team") as server:
        yield server


@pytest.fixture
def config(fake, tmp_path):
    return config_for(tmp_path, fake)


@pytest.fixture
def api(config):
    return quick_api(config)


@pytest.fixture
def command(fake, tmp_path, monkeypatch, capsys):
    run, cluster = shell(monkeypatch, capsys), cluster_file(tmp_path, fake)
    return lambda *words: run(*words, "--cluster", cluster)


def start(fake, api, config, name="mine", **changes):
    run = fake.store.runs[submit(api, config.kfp, small_package(), name)]
    run.update(changes)
    return run["run_id"]


def task(name, state, begin=0, seconds=60, **changes):
    return {
        "task_id": name,
        "display_name": name,
        "state": state,
        "create_time": f"2026-11-21T00:{begin:02}:00Z",
        "start_time": f"2026-11-21T00:{begin:02}:00Z",
        "end_time": f"2026-11-21T00:{begin + seconds // 60:02}:{seconds % 60:02}Z",
        **changes,
    }


FAILED = {
    "state": "FAILED",
    "finished_at": "2026-11-21T01:00:04Z",
    "run_details": {
        "task_details": [
            task("training gru", "FAILED", 2, 90, error={"code": 13, "message": "out of [memory]"}),
            task("dataset", "SUCCEEDED", 1),
            task("dataset-driver", "SUCCEEDED", 0),
            task("root", "SUCCEEDED", 0),
            task("root-driver", "FAILED", 0),
            task("release", "PENDING", 3, start_time=None, end_time="1970-01-01T00:00:00Z", create_time=None),
        ]
    },
}


def test_the_latest_runs_come_first_across_pages(fake, api, config):
    for number in range(5):
        start(fake, api, config, f"run {number}")
    names = [run.name for run in list_runs(api, config.kfp.experiment, 3)]
    assert names == ["run 4", "run 3", "run 2"]
    for number in range(5, 120):
        fake.store.create_run({**next(iter(fake.store.runs.values())), "display_name": f"run {number}"})
    assert len(list_runs(api, config.kfp.experiment, 110)) == 110


def test_no_experiment_means_no_runs(api, config):
    assert list_runs(api, config.kfp.experiment, 3) == []


def test_a_run_shows_its_tasks_in_their_order(fake, api, config):
    run = get_run(api, start(fake, api, config, **FAILED))
    assert [(t.name, t.state, t.duration_s) for t in run.tasks] == [
        ("root-driver", "FAILED", 60.0),
        ("dataset", "SUCCEEDED", 60.0),
        ("training gru", "FAILED", 90.0),
        ("release", "PENDING", None),
    ]
    assert (run.ended, run.well) == (True, False)


def test_waiting_goes_on_while_the_server_is_away(fake, api, config):
    run_id = start(fake, api, config)
    seen = []

    def tell(run):
        seen.append(run.state)
        if len(seen) == 1:
            fake.fail("reset", times=7)
            fake.store.runs[run_id]["state"] = "SUCCEEDED"

    assert wait(api, run_id, 0.01, tell).well
    assert seen == ["PENDING", "SUCCEEDED"]


def test_waiting_ends_when_the_server_stays_away(fake, api, config):
    run_id = start(fake, api, config)
    fake.fail(503, times=1000)
    with pytest.raises(ClusterError, match="answered 503"):
        wait(api, run_id, 0.01, lambda run: None)


def test_the_commands_print_runs_and_tasks(fake, api, config, command):
    run_id = start(fake, api, config, "my [bold]run", **FAILED)
    listed = command("runs")
    assert listed.code == 0, listed.err
    assert all(word in listed.out for word in ("my [bold]run", "FAILED", "2026-11-21 00:00", run_id))
    shown = command("status", run_id)
    assert shown.code == 0
    assert "out of [memory]" in shown.out
    assert "0:01:30" in shown.out
    assert f"my [bold]run ({run_id}): FAILED" in shown.out


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 8), ("CANCELED", 8)])
def test_waiting_tells_how_it_ended(fake, api, config, command, state, code):
    run_id = start(fake, api, config, state=state)
    done = command("status", run_id, "--wait")
    assert done.code == code
    assert (f"ended as {state}" in done.err) == (code == StepError.exit_code)


def test_a_run_that_is_not_there_is_said(command):
    done = command("status", "00000000-0000-4000-8000-00000000ffff")
    assert (done.code, "answered 404" in done.err) == (ClusterError.exit_code, True)
    assert "`python -m pipelines runs` lists runs" in done.err
