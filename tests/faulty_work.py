"""What may happen to a clip in a worker process: run by name, in separate processes."""

import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.frames.extract import Extracted, extract
from reelflow.contracts import Clip
from reelflow.errors import ClipError, StorageError
from reelflow.params import FramesParams

SPARE_BYTES = 256 * 1024 * 1024


def work(name: str) -> str:
    """Answer, refuse, hang, crash, or run into a full disk."""
    if name == "refuse":
        raise ClipError("refused")
    if name == "full disk":
        raise StorageError("full")
    suffer(name)
    return name.upper()


def extract_faultily(task: tuple[Path, Clip, FramesParams]) -> Extracted:
    """Extract a clip's frames, unless its name says what becomes of the process."""
    suffer(Path(task[1].path).stem)
    return extract(task)


def suffer(name: str) -> None:
    """What a decoder may do to its process; nothing under any other name."""
    FATES.get(name, lambda: None)()


def hang() -> None:
    time.sleep(600)


def hang_deaf() -> None:
    """Hang, and not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()


def take_all_memory() -> None:
    """Allocate without end, under a limit; the next clip of this process is not under it."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE_BYTES, before[1]))
    taken = []
    try:
        while True:
            taken.append(np.ones(SPARE_BYTES // 64))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def die_by(number: signal.Signals) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


FATES: dict[str, Callable[[], object]] = {
    "crash": os.abort,
    "segfault": die_by(signal.SIGSEGV),
    "killed for memory": die_by(signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "hang": hang,
    "hang, deaf": hang_deaf,
    "memory": take_all_memory,
}
