"""Work on clips in other processes: a decoder that hangs or crashes loses only its own clip.

PyAV holds the interpreter's lock while it decodes, so threads would gain nothing.
"""

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from reelflow.errors import ClipError, StepError
from reelflow.workers.cpus import granted_cpus
from reelflow.workers.lookahead import AHEAD, ahead
from reelflow.workers.main_module import without_main_module

Item = TypeVar("Item")
Result = TypeVar("Result")
STARTING = "reelflow.workers.starting"
LOOK_EVERY_S = 1.0
"""How often a pool that owes an outcome is asked whether it still works."""


def in_processes(
    work: Callable[[Item], Result], items: Iterable[Item], *, timeout_s: float
) -> Generator[Result | ClipError, None, None]:
    """Apply `work` to every item, one process a CPU; yield the outcomes in the order of the items.

    At most `AHEAD` items a process are under way or waiting to be taken, which bounds the memory.

    Args:
        work: a function of a module; items and results travel by pickle between our own processes.
        items: what to work on.
        timeout_s: limit after which the process of an item is killed.

    Yields:
        What `work` returned, or the reason why the clip is left out. Other errors are raised.

    Raises:
        StepError: no process can be started, or all have been ended.
    """
    workers = granted_cpus()
    context = _Context()
    context.set_forkserver_preload([STARTING, work.__module__])
    pool = ProcessPool(max_workers=workers, context=context)

    def submit(item: Item) -> "ProcessFuture[Result]":
        try:
            return pool.schedule(work, [item], timeout=timeout_s)
        except RuntimeError as error:
            raise BrokenProcessPool("they have been ended") from error

    try:
        for future in ahead(submit, items, workers * AHEAD):
            _await(future, pool)
            yield _outcome(future, timeout_s)
    except BrokenProcessPool as error:
        raise StepError(
            f"no process for the clips could be started or kept: {error.__cause__ or error}; look at the "
            "memory, and run the same command again"
        ) from error
    finally:
        pool.stop()
        pool.join()


class _Process(ForkServerProcess):
    @staticmethod
    def _Popen(process_obj: BaseProcess) -> Any:  # noqa: N802
        with without_main_module():
            return ForkServerProcess._Popen(process_obj)


class _Context(ForkServerContext):
    Process = _Process


def _await(future: "ProcessFuture[Result]", pool: ProcessPool) -> None:
    """Wait for an outcome; a task that reaches a pool in the moment it breaks gets none (pebble 5.2.3)."""
    while not wait([future], timeout=LOOK_EVERY_S).done:
        if not pool.active:
            raise BrokenProcessPool("they have been ended")


def _outcome(future: "ProcessFuture[Result]", timeout_s: float) -> Result | ClipError:
    try:
        result: Result = future.result()
        return result  # noqa: TRY300
    except ClipError as error:
        return error
    except TimeoutError:
        return ClipError(f"stopped after {timeout_s:g} s (the time limit)")
    except MemoryError:
        return ClipError("its frames do not fit into memory")
    except ProcessExpired as error:
        return ClipError(f"its decoder crashed (exit code {error.exitcode})")
