"""The gates on time and memory, measured in a process of its own on the machine that releases."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pydantic

from reelflow.contracts import Gate
from reelflow.edge.commands.measure import DeviceSpeed
from reelflow.params import ReleaseParams
from reelflow.progress import emit

BENCHMARK = (sys.executable, "-c", "from reelflow.cli import main; main()", "benchmark", "--json")
TIMEOUT_S = 600
UNTOLD = "this system does not tell the memory of a process (VmHWM in /proc/self/status)"
METRICS = {"max_frame_ms": "frame_ms", "max_memory_mb": "memory_mb"}
"""Metric of a run, by the gate that measures it."""


def speed_gates(params: ReleaseParams, bundle: Path) -> Iterator[Gate]:
    """One gate for each limit that is asked for; without one nothing is measured.

    Args:
        params: the limits.
        bundle: its folder.
    """
    asked = {name: getattr(params, name) for name in METRICS}
    asked = {name: limit for name, limit in asked.items() if limit is not None}
    if not asked:
        return
    emit("notice", message="measuring time and memory of the bundle on this machine")
    speed, why = _measured(bundle)
    for name, limit in asked.items():
        figures = {"max_frame_ms": 1000 / speed.frames_per_s, "max_memory_mb": speed.peak_mb} if speed else {}
        if (figure := figures.get(name)) is None:
            yield Gate(name=name, found=None, limit=limit, passed=False, why=why)
        else:
            found = round(figure, 3)
            yield Gate(name=name, found=found, limit=limit, passed=found <= limit)


def measured_speed(gates: Sequence[Gate]) -> dict[str, float]:
    """Milliseconds a frame and megabytes of memory, as far as gates have measured them."""
    found = {gate.name: gate.found for gate in gates}
    return {metric: value for gate, metric in METRICS.items() if (value := found.get(gate)) is not None}


def _measured(bundle: Path) -> tuple[DeviceSpeed | None, str]:
    """What the bundle takes, and why that, or its memory, is not known."""
    try:
        done = subprocess.run([*BENCHMARK, str(bundle)], capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return None, f"the measurement takes longer than {TIMEOUT_S} s"
    if done.returncode:
        told = done.stderr.strip().splitlines()
        return None, (told[-1] if told else f"the measurement ends with {done.returncode}")
    try:
        return DeviceSpeed.model_validate_json(done.stdout), UNTOLD
    except pydantic.ValidationError:
        return None, "what is printed is not a measurement"
