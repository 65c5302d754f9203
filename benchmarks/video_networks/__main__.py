"""`python -m benchmarks.video_networks [--parts steps,...]`: study B's networks, measured.

Ratios of one run: against the same networks from stock layers as Keras compiles them here, against a floor of
convolutions alone, and against the stock conversion. Every case is a process of its own; what is compared
takes turns. `accelerator` and `cuts` beside this are for a machine with a GPU.
"""

import argparse
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

OUT = Path("out/benchmarks/video_networks.json")
CASES = {
    "steps": [
        ("convlstm_c2d_63", 2, 160),
        ("convlstm_c2d_63", 8, 64),
        ("p3d_63", 2, 160),
        ("p3d_63", 8, 64),
    ],
    "input": [("p3d_63", 8, 64)],
    "tflite": [("p3d_63", 1, 160), ("convlstm_c2d_63", 1, 160)],
    "recompute": [("p3d_63", 4, 160), ("convlstm_c2d_63", 4, 160)],
    "workers": [("p3d_63", 16, 64), ("convlstm_c2d_63", 16, 64), ("c2d_50", 16, 64)],
}
"""Network, clips a batch, and side of a frame, by part: a module with `measure(network, batch, side)`."""


def main() -> None:
    """Measure the parts asked for, or one case."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parts", default=",".join(CASES))
    parser.add_argument("--case", nargs=3, metavar=("NETWORK", "BATCH", "SIDE"))
    found = parser.parse_args()
    if found.case:
        name, batch, side = found.case
        part = import_module(f"benchmarks.video_networks.{found.parts}")
        print(json.dumps(part.measure(name, int(batch), int(side))))
        return
    results = [_alone(part, *map(str, case)) for part in found.parts.split(",") for case in CASES[part]]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1) + "\n")
    print(f"written to {OUT}")


def _alone(part: str, *case: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.video_networks", "--parts", part, "--case", *case]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{part} {' '.join(case)}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    result = {"part": part, "network": case[0], "batch": int(case[1]), "side": int(case[2]), **found}
    print(json.dumps(result), flush=True)
    return result


if __name__ == "__main__":
    main()
