"""What a process and all that it started take of the machine, sampled beside its work.

CPU is in percent of the CPUs that the process may use: 100 is all of them, as in MLflow, whose figure is of
the whole machine. Memory is the sum of resident sets in MB (1e6 bytes, as MLflow's), so that pages which
processes share count in each. A figure that cannot be had, as without Linux' /proc, is left out.
"""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

from reelflow.progress import emit
from reelflow.workers.cpus import granted_cpus

EVERY_S = 10.0
MB = 1e6
PROC = Path("/proc")
KIND = "usage"  # of the events
PARENT, USED, RESIDENT = 1, slice(11, 15), 21
"""Fields of /proc/PID/stat behind the name (proc(5)): ppid; utime, stime, cutime, cstime; rss."""


class Usage(NamedTuple):
    """Of a tree of processes: seconds of CPU so far, those that have ended too; bytes that are resident."""

    cpu_s: float
    memory: int


def usage_of_tree(root: int, proc: Path = PROC) -> Usage | None:
    """What a process and its descendants use; None where the kernel does not tell.

    Args:
        root: id of the process.
        proc: where the kernel tells of processes.
    """
    found = dict(_stats(proc))
    if root not in found:
        return None
    children: dict[int, list[int]] = {}
    for process, fields in found.items():
        children.setdefault(int(fields[PARENT]), []).append(process)
    tree = [root]
    for process in tree:
        tree += children.get(process, [])
    ticks = sum(int(field) for process in tree for field in found[process][USED])
    pages = sum(int(found[process][RESIDENT]) for process in tree)
    return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))


@contextmanager
def sampled(every_s: float = EVERY_S) -> Iterator[None]:
    """Emit what this process and its descendants use while the block runs, first after `every_s`."""
    over = Event()
    sampler = Thread(target=_sample, args=(every_s, over), daemon=True)
    sampler.start()
    try:
        yield
    finally:
        over.set()
        sampler.join()


def _sample(every_s: float, over: Event) -> None:
    root, cpus = os.getpid(), granted_cpus()
    before, then = usage_of_tree(root), time.monotonic()
    while not over.wait(every_s):
        usage, now = usage_of_tree(root), time.monotonic()
        if figures := _figures(before, usage, (now - then) * cpus):
            emit(KIND, **figures)
        before, then = usage, now


def _figures(before: Usage | None, usage: Usage | None, granted_s: float) -> Mapping[str, float]:
    """Figures of an event; CPU only if no process has left the tree with its time."""
    if usage is None:
        return {}
    figures = {"memory_mb": round(usage.memory / MB, 1)}
    if before and usage.cpu_s >= before.cpu_s:
        figures["cpu_percent"] = round(100 * (usage.cpu_s - before.cpu_s) / granted_s, 1)
    return figures


def _stats(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Ids of processes, and their fields; the name before these may have blanks and brackets."""
    with suppress(OSError):
        for folder in proc.iterdir():
            if folder.name.isdigit():
                with suppress(OSError):  # it has ended meanwhile
                    yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
