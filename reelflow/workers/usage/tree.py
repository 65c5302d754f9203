"""What a process and all that it started take, as the kernel tells it."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
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


def _stats(proc: Path) -> Iterator[tuple[int, list[str]]]:
    """Ids of processes, and their fields; the name before these may have blanks and brackets."""
    with suppress(OSError):
        for folder in proc.iterdir():
            if folder.name.isdigit():
                with suppress(OSError):  # it has ended meanwhile
                    yield int(folder.name), (folder / "stat").read_text().rpartition(")")[2].split()
