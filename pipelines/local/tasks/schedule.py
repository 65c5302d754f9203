"""Runs tasks as soon as what they need is there, several at once.

A task that keeps all CPUs busy by itself, or the GPU, never runs beside another of that kind: both would be
slower and need twice the memory. Any other task runs beside it.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from graphlib import TopologicalSorter
from multiprocessing import forkserver, get_context
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType
from typing import Self

from pipelines.local.tasks.graph import TaskSpec, executor_input
from pipelines.local.tasks.process import run_task
from reelflow.errors import StepError
from reelflow.nets.heads import is_linear
from reelflow.workers.cpus import granted_cpus
from reelflow.workers.main_module import without_main_module

PRELOADED = "pipelines.local.tasks.preloaded"


def preload() -> None:
    """Start to load what tasks need, beside this process."""
    get_context("forkserver").set_forkserver_preload([PRELOADED])
    with without_main_module():
        forkserver.ensure_running()


def run_tasks(tasks: Mapping[str, TaskSpec], root: Path, log: Path) -> None:
    """Run all tasks; if one fails, those at work are ended, and the next run resumes them.

    Args:
        tasks: by name.
        root: folder for what they make.
        log: gets what they write.

    Raises:
        StepError: a task ended with another exit code than 0.
    """
    order = TopologicalSorter({name: task.after for name, task in tasks.items()})
    order.prepare()
    ranked = _most_needed_first(tasks)
    waiting: list[TaskSpec] = []
    with TaskProcesses(tasks, root, log) as processes:
        while order.is_active():
            waiting += [tasks[name] for name in order.get_ready()]
            waiting.sort(key=lambda task: ranked.index(task.name))
            for task in startable(waiting, processes.tasks, granted_cpus()):
                waiting.remove(task)
                processes.start(task)
            order.done(*processes.ended())


def startable(waiting: Iterable[TaskSpec], running: Sequence[TaskSpec], at_once: int) -> list[TaskSpec]:
    """Those of the waiting tasks that may start beside the running ones."""
    started = list(running)
    for task in waiting:
        if len(started) < at_once and not (fills_machine(task) and any(map(fills_machine, started))):
            started.append(task)
    return started[len(running) :]


def fills_machine(task: TaskSpec) -> bool:
    """Whether a task keeps all CPUs busy by itself, or the GPU."""
    if task.step == "training":
        return not is_linear(task.parameters["head"])
    return task.step in ("frames", "features")


def _most_needed_first(tasks: Mapping[str, TaskSpec]) -> list[str]:
    """Names of tasks by the number of tasks that wait for each, directly or not."""

    @cache
    def needing(name: str) -> frozenset[str]:
        direct = frozenset(other.name for other in tasks.values() if name in other.after)
        return direct.union(*map(needing, direct))

    return sorted(tasks, key=lambda name: -len(needing(name)))


class TaskProcesses:
    """The processes of the tasks at work; those left at the end of the block are killed.

    They are forked from one process that has loaded what most of them need. The first task does not wait
    for that.
    """

    def __init__(self, tasks: Mapping[str, TaskSpec], root: Path, log: Path) -> None:
        self._tasks, self._root, self._log = tasks, root, log
        self._running: dict[str, tuple[TaskSpec, BaseProcess]] = {}
        self._context: ForkServerContext | SpawnContext = get_context("spawn")

    def __enter__(self) -> Self:
        preload()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _, process in self._running.values():
            process.kill()
            process.join()

    @property
    def tasks(self) -> list[TaskSpec]:
        """Those at work."""
        return [task for task, _ in self._running.values()]

    def start(self, task: TaskSpec) -> None:
        """Start a task."""
        (self._root / task.name).mkdir(parents=True, exist_ok=True)
        told = executor_input(task, self._tasks, self._root)
        arguments = (task.step, {**os.environ, **task.variables}, told, self._log)
        process = self._context.Process(target=run_task, args=arguments)
        with without_main_module():
            process.start()
        self._context = get_context("forkserver")
        self._running[task.name] = task, process

    def ended(self) -> list[str]:
        """Wait until a task ends; the names of those that did.

        Raises:
            StepError: one ended with another exit code than 0.
        """
        wait(process.sentinel for _, process in self._running.values())
        ended = {name: one for name, one in self._running.items() if one[1].exitcode is not None}
        for name, (task, process) in ended.items():
            del self._running[name]
            if process.exitcode:
                raise StepError(f"{task.title} ended with exit code {process.exitcode}")
        return [*ended]
