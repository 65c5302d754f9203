"""A clip that hangs or crashes its decoder costs no other clip."""

import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import psutil
import pytest
from pebble.pool.process import PoolManager

from reelflow.errors import ClipError, StepError, StorageError
from reelflow.workers.processes import AHEAD, in_processes
from tests.faulty_work import work


def outcomes(names, timeout_s=20.0):
    return [
        str(outcome) if isinstance(outcome, ClipError) else outcome
        for outcome in in_processes(work, names, timeout_s=timeout_s)
    ]


def test_outcomes_come_in_order_with_a_reason_for_each_that_failed():
    found = outcomes(["a", "refuse", "b", "crash", "c", "d"])
    assert found[:3] == ["A", "refused", "B"]
    assert found[3].startswith("its decoder crashed")
    assert found[4:] == ["C", "D"]


def test_a_clip_that_hangs_is_given_up():
    assert outcomes(["a", "hang", "b"], timeout_s=2) == ["A", "stopped after 2 s (the time limit)", "B"]


def test_other_errors_are_raised():
    with pytest.raises(StorageError):
        outcomes(["a", "full disk", "b"])


def test_only_some_are_taken_ahead_of_the_reader():
    taken = []

    def endless():
        while True:
            taken.append("a")
            yield "a"

    found = in_processes(work, endless(), timeout_s=20)
    assert next(found) == "A"
    found.close()
    assert len(taken) <= 64 * AHEAD


def test_processes_do_not_run_the_callers_main_module(tmp_path):
    """Which is kfp's in a step of a pipeline: half a second in every process."""
    script = tmp_path / "main.py"
    script.write_text(
        "print('main')\n"
        "if __name__ == '__main__':\n"
        "    from reelflow.workers.processes import in_processes\n"
        "    from tests.faulty_work import work\n"
        "    print(*in_processes(work, ['a', 'b'], timeout_s=20))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines() == ["main", "A B"]


def test_processes_that_were_ended_while_idle_are_told_in_one_line():
    found = in_processes(work, ["a"] * 100, timeout_s=20)
    assert next(found) == "A"
    time.sleep(1)  # what is ahead is done by then
    for process in psutil.Process().children(recursive=True):
        if "multiprocessing.forkserver" in " ".join(process.cmdline()):
            process.kill()
    with pytest.raises(StepError, match="started or kept"):
        list(found)


def test_a_task_that_reaches_the_pool_as_it_breaks_is_not_awaited_for_ever(monkeypatch):
    """Continuous integration once waited for it until the test's own time limit."""

    def schedule_once_broken(manager, task):
        if task.id:
            while manager.task_manager.tasks:  # the others are done: no abort reaches this one
                time.sleep(0.01)
            manager.handle_broken_pool(BrokenProcessPool("All workers expired"))
        schedule(manager, task)

    schedule = PoolManager.schedule
    monkeypatch.setattr(PoolManager, "schedule", schedule_once_broken)
    found = in_processes(work, ["a", "b"], timeout_s=20)
    with pytest.raises(StepError, match="started or kept"):
        list(found)
