"""NVIDIA's GPUs, as MLflow's own monitor measures them: through NVML, if its Python module is installed.

`GPUMonitor` (mlflow.system_metrics.metrics.gpu_monitor, 3.17.2) asks the same of each GPU that NVML names,
whoever uses it. In a container these are those that it was given.
"""

from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from reelflow.workers.usage.host import MB

MODULE = "pynvml"  # of nvidia-ml-py


class Gpus:
    """Those that NVML finds: none without the module, the driver or a GPU."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[Any] = []
        with suppress(ImportError):
            self._nvml = import_module(MODULE)
        if self._nvml:
            with suppress(self._nvml.NVMLError):
                self._nvml.nvmlInit()
                count = self._nvml.nvmlDeviceGetCount()
                self._handles = [self._nvml.nvmlDeviceGetHandleByIndex(number) for number in range(count)]

    def figures(self) -> Mapping[str, float]:
        """Of each GPU, what it can tell: not every one knows its power."""
        found: dict[str, float] = {}
        for number, handle in enumerate(self._handles):
            for ask in (self._memory, self._load, self._power):
                with suppress(self._nvml.NVMLError):
                    found |= {f"gpu_{number}_{name}": round(value, 1) for name, value in ask(handle).items()}
        return found

    def _memory(self, handle: Any) -> Mapping[str, float]:
        memory = self._nvml.nvmlDeviceGetMemoryInfo(handle)  # bytes
        return {
            "memory_usage_percentage": 100 * memory.used / memory.total,
            "memory_usage_megabytes": memory.used / MB,
        }

    def _load(self, handle: Any) -> Mapping[str, float]:
        return {"utilization_percentage": float(self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu)}

    def _power(self, handle: Any) -> Mapping[str, float]:
        used = self._nvml.nvmlDeviceGetPowerUsage(handle)  # milliwatts
        limit = self._nvml.nvmlDeviceGetEnforcedPowerLimit(handle)
        return {"power_usage_watts": used / 1000, "power_usage_percentage": 100 * used / limit}
