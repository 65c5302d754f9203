"""What a step and all that it started take of the machine."""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from reelflow.progress import watched_by
from reelflow.workers.cpus import granted_cpus
from reelflow.workers.usage import sampling
from reelflow.workers.usage.host import Traffic
from reelflow.workers.usage.sampling import sampled
from reelflow.workers.usage.tree import Usage, usage_of_tree

HELD = 40_000_000
HOLD = f"held = b'x' * {HELD}; print('held', flush=True); input()"
BELOW = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLD!r}])"
BURN = "import time\nwhile time.process_time() < 0.4: pass"

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux' /proc")


def used() -> Usage:
    found = usage_of_tree(os.getpid())
    assert found
    return found


def start(stack: ExitStack, code: str) -> None:
    """A process that ends with the stack, as its input ends."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = stack.enter_context(subprocess.Popen([sys.executable, "-c", code], **pipes))
    assert process.stdout.readline() == b"held\n"


@pytest.mark.parametrize("code", [HOLD, BELOW], ids=["child", "grandchild"])
def test_more_processes_below_take_more(code):
    with ExitStack() as stack:
        seen = [used().memory]
        for _ in range(3):
            start(stack, code)
            seen.append(used().memory)
    assert all(HELD < more - less < 4 * HELD for less, more in pairwise(seen))
    assert used().memory < seen[1]


def test_processes_that_are_not_below_do_not_count():
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"held\n"
        alone = usage_of_tree(process.pid)
        process.communicate(b"\n")
    assert HELD < alone.memory < used().memory + HELD


def test_the_time_of_children_counts_while_they_run_and_after():
    before = used().cpu_s
    with subprocess.Popen([sys.executable, "-c", BURN]) as process:
        while process.poll() is None and used().cpu_s < before + 0.2:
            time.sleep(0.01)
        assert process.poll() is None
    assert used().cpu_s - before >= 0.4 - 0.02


def test_a_program_may_have_any_name(tmp_path):
    program = shutil.copy(shutil.which("sleep"), tmp_path / "a) R 1 (b")
    with subprocess.Popen([program, "60"]) as process:
        assert usage_of_tree(process.pid).memory > 0
        process.kill()


def test_samples_are_percent_of_what_may_be_used():
    told: list[dict] = []
    with watched_by(told.append), sampled(0.5):
        used_s, deadline = time.process_time(), time.monotonic() + 20
        while len(told) < 2 and time.monotonic() < deadline:
            pass
        used_s = time.process_time() - used_s
    assert {event["kind"] for event in told} == {"usage"}
    figures = [event["figures"] for event in told]
    sampled_s = sum(one["cpu_utilization_percentage"] * 0.5 * granted_cpus() / 100 for one in figures)
    assert 0.2 * used_s < sampled_s < 1.5 * used_s
    assert all(1 < one["system_memory_usage_megabytes"] < 1e5 for one in figures)


def test_a_step_shorter_than_a_sample_tells_nothing():
    told: list[dict] = []
    with watched_by(told.append), sampled(30):
        pass
    assert told == []


def told_figures() -> list[dict[str, float]]:
    told: list[dict] = []
    with watched_by(told.append), sampled(0.01):
        time.sleep(0.3)
    return [event["figures"] for event in told]


def test_what_cannot_be_had_is_left_out(tmp_path, monkeypatch):
    assert usage_of_tree(os.getpid(), tmp_path) is None
    assert usage_of_tree(os.getpid(), tmp_path / "absent") is None
    seen = iter([Usage(9.0, 5), Usage(8.0, 2_000_000), None, Usage(1.0, 3_000_000), None, None])
    monkeypatch.setattr(sampling, "usage_of_tree", lambda _: next(seen, None))
    figures = [
        {name: value for name, value in one.items() if not name.startswith(("disk", "network", "gpu"))}
        for one in told_figures()
    ]
    assert [one for one in figures if one] == [
        {"system_memory_usage_megabytes": 2.0},
        {"system_memory_usage_megabytes": 3.0},
    ]


def test_network_counts_from_the_start_of_the_block(monkeypatch):
    counted = iter(
        [Traffic(7_000_000, 9_000_000), Traffic(8_500_000, 9_000_000), Traffic(8_500_000, 9_250_000)]
    )
    monkeypatch.setattr(sampling, "traffic", lambda: next(counted, None))
    figures = [
        (one["network_receive_megabytes"], one["network_transmit_megabytes"])
        for one in told_figures()
        if "network_receive_megabytes" in one
    ]
    assert figures == [(1.5, 0.0), (1.5, 0.2)]
