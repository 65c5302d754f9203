"""A head by the product's conversion against the unrolled float32 one that Keras and TFLite give by default.

`python -m benchmarks.heads.newcomer ours|unrolled UNITS TARGET` converts one, in a process of its own.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.accuracy import ROOT
from benchmarks.heads.forms import unrolled
from components.conversion.head import convert_head
from reelflow.files import write_bytes
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import prepare, seed_everything
from reelflow.params import load_params

FRAMES, DIM, CLASSES = 25, 1280, 101
ROUNDS, CALLS = 3, 20
ALONE = Path(__file__).with_name("alone.py")
Figures = dict[str, float]


def measured(out: Path, units: int, rounds: int = ROUNDS) -> dict[str, Figures]:
    """Conversion, load, first call, a clip, memory and size of both, in processes of their own, in turns."""
    out.mkdir(parents=True, exist_ok=True)
    paths = {which: out / f"{which}-{units}.tflite" for which in ("ours", "unrolled")}
    command = [sys.executable, "-m", "benchmarks.heads.newcomer"]
    found: dict[str, Figures] = {
        which: _told([*command, which, str(units), str(path)]) for which, path in paths.items()
    }
    runs = [
        {which: _told([sys.executable, str(ALONE), str(path), str(CALLS)]) for which, path in paths.items()}
        for _ in range(rounds)
    ]
    for which, figures in found.items():
        each = [run[which] for run in runs]
        figures |= {name: min(run[name] for run in each) for name in each[0]}
        figures["size_mb"] = paths[which].stat().st_size / 1e6
    return found


def _told(command: list[str]) -> Any:
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Convert a head of random weights, and print seconds and peak memory of that."""
    which, units, target = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    prepare()
    import tensorflow as tf

    seed_everything(1)
    params = load_params(ROOT / "params.large.yaml").training.model_copy(update={"units": units})
    model = build_head("gru", frames=FRAMES, dim=DIM, classes=CLASSES, params=params)
    before, started = _peak_mb(), time.perf_counter()
    if which == "ours":
        write_bytes(target, convert_head(model, "dynamic"))
    else:
        write_bytes(target, tf.lite.TFLiteConverter.from_keras_model(unrolled(model)).convert())
    seconds = time.perf_counter() - started
    print(json.dumps({"conversion_s": seconds, "conversion_mb": _peak_mb() - before}))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    main()
