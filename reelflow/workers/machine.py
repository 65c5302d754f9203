"""The machine of this process, in words."""

import os
import platform
import sys

from reelflow.workers.cpus import granted_cpus

GB = 1e9


def machine() -> str:
    """Architecture, CPUs that this process may use, memory, and the GPUs that TensorFlow has found in it."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GB
    return ", ".join([platform.machine(), f"{granted_cpus()} CPUs", f"{memory:.0f} GB", *_gpus()])


def _gpus() -> list[str]:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return []
    devices = tensorflow.config.list_physical_devices("GPU")
    return [
        tensorflow.config.experimental.get_device_details(one).get("device_name", "GPU") for one in devices
    ]
