"""Baselines with the threads that BLAS starts by itself, against one thread, beside a busy process.

80 clips of 20 classes, as in the report of a user. Both are measured in turns in one run.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from components.baselines import models
from reelflow.workers.cpus import granted_cpus

CLIPS, CLASSES, DIMS, ROUNDS = 80, 20, 576, 2


def main() -> None:
    """Print wall and CPU seconds of both, and their ratio."""
    random = np.random.default_rng(1)
    inputs = random.random((CLIPS, DIMS))
    truth = np.arange(CLIPS) % CLASSES
    groups = [str(clip // CLASSES) for clip in range(CLIPS)]
    train, test = np.arange(60), np.arange(60, CLIPS)

    def baselines() -> None:
        models.score_held_out(inputs, truth, groups, train, test, CLASSES, 1)

    def unbounded() -> None:
        with patch("threadpoolctl.threadpool_limits", lambda **_: nullcontext()):
            baselines()

    print("| BLAS threads | wall s | CPU s |\n|---|---|---|")
    with busy():
        for _ in range(ROUNDS):
            many, one = measure(unbounded), measure(baselines)
            print(f"| {granted_cpus()} | {many[0]:.1f} | {many[1]:.1f} |")
            print(f"| 1 | {one[0]:.1f} | {one[1]:.1f} |")
            print(f"| ratio | {many[0] / one[0]:.1f} | {many[1] / one[1]:.1f} |", flush=True)


def measure(work: Callable[[], None]) -> tuple[float, float]:
    """Wall and CPU seconds of some work."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall_s, time.process_time() - cpu_s


@contextmanager
def busy() -> Iterator[None]:
    """Keep one CPU busy by another process."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


def _spin() -> None:
    while True:
        pass


if __name__ == "__main__":
    main()
