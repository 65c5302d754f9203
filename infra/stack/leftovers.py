"""Processes whose parent was killed: they hold ports and the database, and nobody stops them."""

import os
import signal
from pathlib import Path

import psutil

VARIABLE = "REELFLOW_STACK"
"""In the environment of every process of a stack: its folder."""
END_S = 30


def processes_of(folder: Path) -> list[psutil.Process]:
    """Those of a stack that this user may see; not this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(VARIABLE) == str(folder):
                found.append(process)
        except psutil.Error:  # it has ended, or is another user's
            continue
    return found


def end(processes: list[psutil.Process]) -> None:
    """Ask them to end, and kill those that do not."""
    for process in processes:
        try:
            # PostgreSQL waits for its clients to go on SIGTERM, and sends them away on SIGINT
            process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        except psutil.NoSuchProcess:
            continue
    for process in psutil.wait_procs(processes, timeout=END_S)[1]:
        process.kill()
