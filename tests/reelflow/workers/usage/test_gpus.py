"""GPUs, beside what MLflow's own monitor finds, where pynvml is a stand-in.

Its functions and structs are those of nvidia-ml-py 13.615.71 (`nvmlMemory_t` in bytes, `nvmlUtilization_t` in
percent, power in milliwatts, as NVML documents them); an error is a subclass of `NVMLError`.
"""

import importlib
import sys
from ctypes import Structure, c_uint, c_ulonglong
from types import ModuleType

import pytest
from mlflow.system_metrics.metrics import gpu_monitor

from reelflow.workers.usage.gpus import Gpus


class Memory(Structure):
    _fields_ = [("total", c_ulonglong), ("free", c_ulonglong), ("used", c_ulonglong)]


class Utilization(Structure):
    _fields_ = [("gpu", c_uint), ("memory", c_uint)]


class NVMLError(Exception):
    pass


MEMORY = [Memory(81_559_000_000, 60_000_000_000, 21_559_000_000), Memory(1_000_000, 750_000, 250_000)]
LOAD = [Utilization(97, 41), Utilization(0, 3)]
POWER, LIMIT = [345_678, 70_000], [700_000, 250_000]
SILENT = {"nvmlDeviceGetPowerUsage": 1}
"""A GPU that does not know its power: NVML_ERROR_NOT_SUPPORTED."""


def stand_in(*, refuses: str = "") -> ModuleType:
    module = ModuleType("pynvml")
    module.NVMLError = NVMLError
    answers = {
        "nvmlInit": lambda: None,
        "nvmlDeviceGetCount": lambda: len(MEMORY),
        "nvmlDeviceGetHandleByIndex": lambda number: number,
        "nvmlDeviceGetMemoryInfo": lambda handle: MEMORY[handle],
        "nvmlDeviceGetUtilizationRates": lambda handle: LOAD[handle],
        "nvmlDeviceGetPowerUsage": lambda handle: POWER[handle],
        "nvmlDeviceGetEnforcedPowerLimit": lambda handle: LIMIT[handle],
    }

    def refusing(name: str):
        def answer(*handle: int) -> object:
            if name == refuses or handle == (SILENT.get(name),):
                raise NVMLError(name)
            return answers[name](*handle)

        return answer

    for name in answers:
        setattr(module, name, refusing(name))
    return module


def test_figures_are_those_of_mlflow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", stand_in())
    monkeypatch.setattr(gpu_monitor, "pynvml", sys.modules["pynvml"], raising=False)
    monitor = gpu_monitor.GPUMonitor()
    monitor.collect_metrics()
    found = Gpus().figures()
    assert found == monitor.aggregate_metrics()
    assert found == {
        "gpu_0_memory_usage_percentage": 26.4,
        "gpu_0_memory_usage_megabytes": 21559.0,
        "gpu_0_utilization_percentage": 97.0,
        "gpu_0_power_usage_watts": 345.7,
        "gpu_0_power_usage_percentage": 49.4,
        "gpu_1_memory_usage_percentage": 25.0,
        "gpu_1_memory_usage_megabytes": 0.2,
        "gpu_1_utilization_percentage": 0.0,
    }


@pytest.mark.parametrize("refuses", ["nvmlInit", "nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"])
def test_without_driver_or_gpu_there_are_none(monkeypatch, refuses):
    monkeypatch.setitem(sys.modules, "pynvml", stand_in(refuses=refuses))
    assert Gpus().figures() == {}


def test_without_the_module_there_are_none(monkeypatch):
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(ImportError):
        importlib.import_module("pynvml")
    assert Gpus().figures() == {}
