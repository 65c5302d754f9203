"""What a step takes of the machine, sampled beside its work, by MLflow's names (mlflow.system_metrics).

CPU and memory are of the step's process and all that it started. CPU is in percent of the CPUs that the
process may use: 100 is all of them, as in MLflow, whose figure is of the whole machine. Memory is the sum of
resident sets in MB (1e6 bytes, as MLflow's), so that pages which processes share count in each. Disk, network
and GPUs are MLflow's figures. What cannot be had, as without Linux' /proc, is left out.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

from reelflow.progress import emit
from reelflow.workers.cpus import granted_cpus
from reelflow.workers.usage.gpus import Gpus
from reelflow.workers.usage.host import MB, disk_figures, traffic
from reelflow.workers.usage.tree import Usage, usage_of_tree

EVERY_S = 10.0
KIND = "usage"  # of the events


@contextmanager
def sampled(every_s: float = EVERY_S) -> Iterator[None]:
    """Emit figures while the block runs, first after `every_s`; network counts from its start."""
    over = Event()
    sampler = Thread(target=_sample, args=(every_s, over), daemon=True)
    sampler.start()
    try:
        yield
    finally:
        over.set()
        sampler.join()


def _sample(every_s: float, over: Event) -> None:
    root, cpus, gpus = os.getpid(), granted_cpus(), Gpus()
    started, before, then = traffic(), usage_of_tree(root), time.monotonic()
    while not over.wait(every_s):
        usage, now = usage_of_tree(root), time.monotonic()
        figures = {**_of_processes(before, usage, (now - then) * cpus), **disk_figures(), **gpus.figures()}
        if counted := traffic():
            figures |= counted.since(started)
        emit(KIND, figures=figures)
        before, then = usage, now


def _of_processes(before: Usage | None, usage: Usage | None, granted_s: float) -> Mapping[str, float]:
    """CPU only if no process has left the tree with its time."""
    if usage is None:
        return {}
    figures = {"system_memory_usage_megabytes": round(usage.memory / MB, 1)}
    if before and usage.cpu_s >= before.cpu_s:
        figures["cpu_utilization_percentage"] = round(100 * (usage.cpu_s - before.cpu_s) / granted_s, 1)
    return figures
