"""The memory that is left."""

from pathlib import Path

import pytest

from reelflow.workers.memory import free_memory

GB = 10**9


def machine(folder: Path, *, available_kb: int, cgroup: str) -> dict[str, Path]:
    proc, roots = folder / "proc", folder / "cgroup"
    (proc / "self").mkdir(parents=True)
    roots.mkdir()
    (proc / "meminfo").write_text(f"MemTotal: 99 kB\nMemAvailable:   {available_kb} kB\nHugePages_Total: 0\n")
    (proc / "self" / "cgroup").write_text(cgroup)
    return {"proc": proc, "roots": roots}


def write(folder: Path, **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (folder / name.replace("memory_", "memory.")).write_text(f"{value}\n")


def test_without_a_limit_it_is_what_the_machine_has(tmp_path):
    here = machine(tmp_path, available_kb=5_000_000, cgroup="0::/user.slice/session\n")
    write(here["roots"] / "user.slice", memory_max="max", memory_current=7, memory_stat="file 3")
    assert free_memory(**here) == 5_000_000 * 1024


@pytest.mark.parametrize("place", ["", "pod", "pod/container"])
def test_a_limit_of_any_group_above_counts_less_what_is_used(tmp_path, place):
    here = machine(tmp_path, available_kb=50_000_000, cgroup="0::/pod/container\n")
    stat = f"anon {2 * GB}\nfile {2 * GB}\nshmem {GB}"
    write(here["roots"] / place, memory_max=8 * GB, memory_current=3 * GB, memory_stat=stat)
    assert free_memory(**here) == 6 * GB


def test_groups_of_the_first_version_count_too(tmp_path):
    cgroup = "9:name=systemd:/\n4:cpu,memory:/docker/1\n0::/\n"
    here = machine(tmp_path, available_kb=50_000_000, cgroup=cgroup)
    stat = f"cache 5\ntotal_cache {GB}"
    names = {"memory_limit_in_bytes": 4 * GB, "memory_usage_in_bytes": 2 * GB, "memory_stat": stat}
    write(here["roots"] / "memory" / "docker" / "1", **names)
    assert free_memory(**here) == 3 * GB


def test_in_a_container_the_group_s_own_path_may_not_be_there(tmp_path):
    here = machine(tmp_path, available_kb=50_000_000, cgroup="0::/../../pods/1\n")
    write(here["roots"], memory_max=2 * GB, memory_current=3 * GB, memory_stat="file 0")
    assert free_memory(**here) == 0


def test_here_something_is_left():
    assert 10**7 < free_memory() < 10**15
