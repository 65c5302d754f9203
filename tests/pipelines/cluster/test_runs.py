"""Runs are listed, shown and waited for."""

import pytest

from pipelines.cluster.runs import get_run, list_runs, wait
from pipelines.cluster.submit import submit
from reelflow.errors import ClusterError, StepError
from tests.fake_kfp import FakeKfp
from tests.fake_kfp.inputs import cluster_file, config_for, quick_client, recording, small_package
from tests.fake_kfp.shell import shell


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


RECORDED = recording(5)["response"]
FAILED = {key: RECORDED[key] for key in ("created_at", "finished_at", "run_details", "state")}


def test_the_latest_runs_come_first_across_pages(fake, client, config, monkeypatch):
    monkeypatch.setattr("pipelines.cluster.api.client.PAGE_SIZE", 2)
    for number in range(5):
        start(fake, client, config, f"run {number}")
    names = [run.name for run in list_runs(client, config.kfp.experiment, 3)]
    assert names == ["run 4", "run 3", "run 2"]
    assert len(list_runs(client, config.kfp.experiment, 10)) == 5


def test_no_experiment_means_no_runs(client, config):
    assert list_runs(client, config.kfp.experiment, 3) == []


def test_a_run_shows_its_tasks_in_their_order(fake, client, config):
    run = get_run(client, start(fake, client, config, **FAILED))
    assert [(t.name, t.state, t.duration_s) for t in run.tasks] == [
        ("root", "FAILED", 111.0),
        ("check(0)", "FAILED", 61.0),
        ("executor", "FAILED", 61.0),
        ("check", "FAILED", 61.0),
        ("condition-2", "PENDING", 0.0),
        ("outcome", "SUCCEEDED", 20.0),
    ]
    assert (run.ended, run.well) == (True, False)


def test_waiting_goes_on_while_the_server_is_away(fake, client, config):
    run_id = start(fake, client, config)
    seen = []

    def tell(run):
        seen.append(run.state)
        if len(seen) == 1:
            fake.fail("reset", times=7)
            fake.store.runs[run_id]["state"] = "SUCCEEDED"

    assert wait(client, run_id, 0.01, tell).well
    assert seen == ["PENDING", "SUCCEEDED"]


def test_waiting_ends_when_the_server_stays_away(fake, client, config):
    run_id = start(fake, client, config)
    fake.fail(503, times=1000)
    with pytest.raises(ClusterError, match="answered 503"):
        wait(client, run_id, 0.01, lambda run: None)


def test_the_commands_print_runs_and_tasks(fake, client, config, command):
    run_id = start(fake, client, config, "my [bold]run", **FAILED, error={"message": "out of [memory]"})
    listed = command("runs")
    assert listed.code == 0, listed.err
    assert all(word in listed.out for word in ("my [bold]run", "FAILED", "2026-11-26 02:39", run_id))
    shown = command("status", run_id)
    assert shown.code == 0
    assert "out of [memory]" in shown.out
    assert "0:01:01" in shown.out
    assert f"my [bold]run ({run_id}): FAILED" in shown.out


@pytest.mark.parametrize(("state", "code"), [("SUCCEEDED", 0), ("FAILED", 8), ("CANCELED", 8)])
def test_waiting_tells_how_it_ended(fake, client, config, command, state, code):
    run_id = start(fake, client, config, state=state)
    done = command("status", run_id, "--wait")
    assert done.code == code
    assert (f"ended as {state}" in done.err) == (code == StepError.exit_code)


def test_a_run_that_is_not_there_is_said(command):
    done = command("status", "00000000-0000-4000-8000-00000000ffff")
    assert (done.code, "answered 404" in done.err) == (ClusterError.exit_code, True)
    assert "`python -m pipelines runs` lists runs" in done.err
