"""Work starts as many threads and processes as CPUs are granted, not as the machine has."""

import json
import os
import subprocess
import sys

import pytest

from tests.workplace import ROOT

ASK = """
import json, os
import numpy, scipy.linalg
from threadpoolctl import threadpool_info
from reelflow.workers.cpus import bound_thread_pools, granted_cpus
bound_thread_pools()
import sklearn.ensemble
sizes = [pool["num_threads"] for pool in threadpool_info()]
print(json.dumps([granted_cpus(), sorted(set(sizes)), os.environ["TF_NUM_INTRAOP_THREADS"]]))
"""
POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")


def ask(*, cpu=None, **variables):
    own = {name: value for name, value in os.environ.items() if name not in POOLS}
    restrict = (lambda: os.sched_setaffinity(0, {cpu})) if cpu is not None else None
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        env=own | variables,
        preexec_fn=restrict,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux restricts a process to CPUs")
def test_a_process_restricted_to_one_cpu_has_pools_of_one_thread():
    assert ask(cpu=min(os.sched_getaffinity(0))) == [1, [1], "1"]


def test_a_lower_number_of_the_user_remains():
    cpus, sizes, tensorflow = ask(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", TF_NUM_INTRAOP_THREADS="1")
    assert (sizes, tensorflow) == ([1], "1")
    assert cpus == len(os.sched_getaffinity(0))


def test_no_module_counts_the_cpus_of_the_machine():
    sources = [
        path for room in ("reelflow", "components", "pipelines") for path in (ROOT / room).rglob("*.py")
    ]
    counting = {path.relative_to(ROOT).as_posix() for path in sources if "os.cpu_count()" in path.read_text()}
    assert counting == {"reelflow/workers/cpus.py"}
