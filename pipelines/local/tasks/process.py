"""One task in a process of its own."""

import os
import signal
import tempfile
from collections.abc import Mapping
from importlib import import_module
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from typing import Any


def run_task(step: str, variables: Mapping[str, str], told: dict[str, Any], log: Path) -> None:
    """Run a component in this process, as KFP's executor does in a container.

    Args:
        step: the component.
        variables: its whole environment; that of the process it was forked from may be out of date.
        told: what the executor is told.
        log: gets what the process writes.
    """
    from kfp.dsl.executor import Executor

    Thread(target=_end_with_driver, daemon=True).start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # `preloaded` ignores it
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None
    component = getattr(import_module(f"components.{step}.component"), step)
    Executor(executor_input=told, function_to_execute=component).execute()


def _end_with_driver() -> None:
    """A killed driver leaves no task behind, which would write beside those of the next run."""
    if driver := parent_process():
        driver.join()
        os._exit(1)
