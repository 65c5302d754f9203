"""A worker that cannot start because its pool has ended says nothing; any other failure is seen."""

import subprocess
import sys

import pytest

from tests.workplace import ROOT

SCRIPT = """
from multiprocessing import get_context
from reelflow.workers.processes import STARTING

class Broken:
    def __reduce__(self):
        return eval, ({error!r},)

context = get_context("forkserver")
context.set_forkserver_preload([STARTING])
worker = context.Process(target=print, args=(Broken(),))
worker.start()
worker.join()
print(worker.exitcode)
"""


@pytest.mark.parametrize(
    ("error", "told"),
    [("open('/no/such/lock')", ""), ("1 / 0", "ZeroDivisionError: division by zero")],
    ids=["the pool's lock is gone", "a fault"],
)
def test_a_start_for_a_pool_that_has_ended_is_silent(error, told):
    command = [sys.executable, "-c", SCRIPT.format(error=error)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr.strip().splitlines()[-1:]) == ("1\n", [told] if told else [])
