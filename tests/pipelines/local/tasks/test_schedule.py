"""Which tasks run at once, and what becomes of them when one fails."""

import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import pytest

from pipelines.local.tasks import schedule
from pipelines.local.tasks.graph import TaskSpec, tasks_of
from pipelines.local.tasks.schedule import fills_machine, run_tasks, startable
from pipelines.training import build
from reelflow.errors import StepError
from reelflow.params import load_params


def task(title: str, after: tuple[str, ...] = (), **parameters: str) -> TaskSpec:
    return TaskSpec(title, title, title.split()[0], parameters, {}, {}, frozenset(after), {})


FRAMES, FEATURES, MORE = task("frames"), task("features a"), task("features b")
BASELINES, CONVERSION = task("baselines"), task("conversion")
RECURRENT, LINEAR = task("training gru", head="gru"), task("training linear", head="segment_linear")


@pytest.mark.parametrize(
    ("waiting", "running", "at_once", "started"),
    [
        ([FEATURES, BASELINES], [], 2, [FEATURES, BASELINES]),
        ([FEATURES, BASELINES], [], 1, [FEATURES]),
        ([FEATURES, MORE, BASELINES], [], 3, [FEATURES, BASELINES]),
        ([MORE, LINEAR], [FEATURES], 2, [LINEAR]),
        ([MORE, RECURRENT], [BASELINES], 4, [MORE]),
        ([RECURRENT], [FEATURES], 4, []),
        ([CONVERSION], [BASELINES, LINEAR], 2, []),
        ([], [], 2, []),
    ],
)
def test_one_task_that_fills_the_machine_runs_beside_others(waiting, running, at_once, started):
    assert startable(waiting, running, at_once) == started


def test_networks_fill_the_machine_and_linear_heads_do_not():
    assert [fills_machine(one) for one in (FRAMES, RECURRENT, LINEAR, BASELINES)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.fixture
def tasks() -> dict[str, TaskSpec]:
    return tasks_of(build(load_params(Path("params.yaml"))))


def test_a_task_that_fails_ends_the_run_and_the_others(tasks, tmp_path, monkeypatch):
    monkeypatch.setattr(schedule, "granted_cpus", lambda: 2)
    (dataset,) = (one for one in tasks.values() if one.step == "dataset")
    broken = replace(dataset, name="broken", parameters={**dataset.parameters, "params": "{}"})
    with pytest.raises(StepError, match="dataset ended with exit code 1"):
        run_tasks({dataset.name: dataset, "broken": broken}, tmp_path / "made", tmp_path / "log")
    assert "Field required" in (tmp_path / "log").read_text()
    assert not active_children()


def test_a_task_that_is_killed_is_named(tasks, tmp_path):
    def kill() -> None:
        while not (found := [one for one in active_children() if one.pid]):
            time.sleep(0.01)
        os.kill(found[0].pid, signal.SIGKILL)

    (dataset,) = (one for one in tasks.values() if one.step == "dataset")
    threading.Thread(target=kill).start()
    with pytest.raises(StepError, match="dataset ended with exit code -9"):
        run_tasks({dataset.name: dataset}, tmp_path / "made", tmp_path / "log")
