"""The CPUs that this process may use, and native thread pools that keep to them."""

import os

POOLS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
)
"""What native libraries read when they are loaded."""


def granted_cpus() -> int:
    """CPUs by affinity, quota of the cgroup and `LOKY_MAX_CPU_COUNT`; at least 1.

    `os.cpu_count()` counts those of the machine: in a pod with 2 CPUs of a node with 64 it is 64.
    """
    from joblib import cpu_count  # type: ignore[import-untyped]

    return int(cpu_count())


def bound_thread_pools() -> None:
    """Let BLAS, OpenMP and TensorFlow start at most one thread a CPU; a lower number of the user remains."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    cpus = granted_cpus()
    for name in POOLS:
        os.environ.setdefault(name, str(cpus))
    for pool in ThreadpoolController().lib_controllers:
        if pool.num_threads > cpus:
            pool.set_num_threads(cpus)
