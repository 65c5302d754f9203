"""The memory that this process may still take."""

from collections.abc import Iterator
from pathlib import Path

PROC, CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
NAMES = {
    CGROUPS: ("memory.max", "memory.current", "file", "shmem"),
    CGROUPS / "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache", "total_shmem"),
}
"""Limit, use, and of it files in the cache and files that are nowhere else: cgroups v2 and v1, by root."""


def free_memory(proc: Path = PROC, roots: Path = CGROUPS) -> int:
    """Bytes: what is available on the machine, or what a cgroup of this process leaves, if that is less.

    A cgroup's cache of files counts as free: the kernel gives it up when memory is asked for.

    Args:
        proc: where the kernel tells of processes and of memory.
        roots: where cgroups are.
    """
    lines = dict(line.split(":", 1) for line in (proc / "meminfo").read_text().splitlines())
    available = 1024 * int(lines["MemAvailable"].split()[0])
    return max(0, min([available, *_left_by_cgroups(proc, roots)]))


def _left_by_cgroups(proc: Path, roots: Path) -> Iterator[int]:
    """What each limit above this process leaves."""
    for root, names in NAMES.items():
        top = roots / root.relative_to(CGROUPS)
        own = _own_folder(proc, is_v2=root == CGROUPS)
        for folder in {top, *(top / parent for parent in (own, *own.parents))}:
            left = _left(folder, *names)
            if left is not None:
                yield left


def _own_folder(proc: Path, *, is_v2: bool) -> Path:
    """This process's cgroup, relative to the root; in a container it may be outside of what is mounted."""
    lines = (proc / "self" / "cgroup").read_text().splitlines()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if (controllers == "") if is_v2 else ("memory" in controllers.split(",")):
            return Path(path.lstrip("/"))
    return Path()


def _left(folder: Path, limit: str, use: str, cached: str, shared: str) -> int | None:
    try:
        most, used = (folder / limit).read_text().strip(), int((folder / use).read_text())
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    cache = int(counts.get(cached, 0)) - int(counts.get(shared, 0))
    return None if most == "max" else int(most) - used + cache
