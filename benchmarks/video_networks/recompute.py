"""Recomputing blocks: seconds a step and peak memory of the process, with and without."""

import json
import subprocess
import sys
from typing import Any

import numpy as np

from benchmarks.video_networks.memory import bytes_of
from benchmarks.video_networks.steps import CLASSES, FRAMES, in_turn, training_params
from components.training.learners.graph import Stepper
from reelflow.nets.heads import build_head


def measure(name: str, batch: int, side: int) -> dict[str, Any]:
    """Both, a process each."""
    plain, again = (_alone(name, str(batch), str(side), recompute) for recompute in ("plain", "recompute"))
    return {
        "plain": plain,
        "recompute": again,
        "times_longer": round(again["step_s"] / plain["step_s"], 2),
        "share_of_memory": round(again["training_mb"] / plain["training_mb"], 2),
    }


def _alone(*case: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.video_networks.recompute", *case]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Train one network on noise; print seconds a step, and how much memory the steps took."""
    name, batch, side = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    params = training_params()
    video = params.video.model_copy(update={"recompute": sys.argv[4] == "recompute"})
    params = params.model_copy(update={"video": video})
    network = build_head(name, frames=FRAMES, dim=side * side * 3, classes=CLASSES, params=params)
    step = Stepper(network, params, is_taught=False)
    chance = np.random.default_rng(1)
    features = chance.random((batch, FRAMES, side * side * 3), np.float32)
    targets = np.eye(2 * CLASSES, dtype=np.float32)[chance.integers(CLASSES, size=batch)]
    before = bytes_of("VmHWM")
    seconds = in_turn({"step": lambda: step(features, targets)})
    print(
        json.dumps(
            {"step_s": round(seconds["step"], 3), "training_mb": round((bytes_of("VmHWM") - before) / 1e6)}
        )
    )


if __name__ == "__main__":
    main()
