"""A process that does nothing but run one TFLite head: `python benchmarks/heads/alone.py HEAD CALLS`."""

import json
import sys
import time
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter


def main() -> None:
    """Print seconds of load, first call and least of the others, and the growth of memory by them."""
    path, calls = sys.argv[1], int(sys.argv[2])
    before = _memory_mb("VmRSS")
    started = time.perf_counter()
    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    loaded = time.perf_counter()
    source = interpreter.get_input_details()[0]
    clip = np.random.default_rng(1).random(source["shape"], np.float32)
    seconds = []
    for _ in range(calls + 1):
        called = time.perf_counter()
        interpreter.set_tensor(source["index"], clip)
        interpreter.invoke()
        seconds.append(time.perf_counter() - called)
    found = {"load_s": loaded - started, "first_s": seconds[0], "clip_s": min(seconds[1:])}
    print(json.dumps(found | {"memory_mb": _memory_mb("VmHWM") - before}))


def _memory_mb(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1000


if __name__ == "__main__":
    main()
