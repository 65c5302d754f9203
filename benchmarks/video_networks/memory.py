"""What the training of a video network takes in memory, against what `reelflow.nets.video.memory` counts.

    python -m benchmarks.video_networks.memory
    python -m benchmarks.video_networks.memory plan

The first measures: each case is a process of its own, with two training steps on random clips; its peak less
what it holds once TensorFlow is loaded. The second prints what study B's batch needs on a GPU, by the counts.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from components.training.learners.graph import Stepper
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import prepare, seed_everything
from reelflow.nets.video.design import chosen_design
from reelflow.nets.video.memory import RGB, Footprint, footprint
from reelflow.params import TrainingParams, load_params

FRAMES, CLASSES, STEPS = 16, 10, 2
GPU = 22_500_000_000
"""Bytes: 24 GB less 1.5 for the driver and the workspaces of convolutions."""
CASES = [
    (head, str(side), str(batch), recompute)
    for head in ("p3d_63", "convlstm_c2d_63")
    for side, batch in ((64, 4), (64, 12), (112, 6), (160, 2), (160, 4))
    for recompute in ("kept", "recomputed")
] + [("p3d_199", "96", "4", "kept"), ("p3d_199", "96", "4", "recomputed"), ("c2d_50", "128", "4", "kept")]


def chosen(recompute: str) -> TrainingParams:
    """Study B's optimiser."""
    params = load_params(Path("params.yaml")).training
    video = params.video.model_copy(update={"recompute": recompute == "recomputed"})
    return params.model_copy(update={"video": video, "optimizer": "rmsprop", "learning_rate": 1e-4})


def counted(head: str, side: int, recompute: str) -> Footprint:
    """As counted from the layers."""
    params = chosen(recompute)
    design = chosen_design(head, params.video)
    return footprint(design, params, frames=FRAMES, side=side, classes=CLASSES)


def taken(head: str, side: int, batch: int, recompute: str) -> int:
    """Bytes that training takes in this process."""
    prepare()
    before = bytes_of("VmRSS")
    seed_everything(1)
    params, dim = chosen(recompute), side * side * RGB
    network = build_head(head, frames=FRAMES, dim=dim, classes=CLASSES, params=params)
    step = Stepper(network, params, is_taught=False)
    chance = np.random.default_rng(1)
    labels = np.eye(CLASSES, 2 * CLASSES, dtype=np.float32)[chance.integers(CLASSES, size=batch)]
    for _ in range(STEPS):
        step(chance.random((batch, FRAMES, dim), dtype=np.float32), labels)
    return bytes_of("VmHWM") - before


def bytes_of(name: str) -> int:
    """A size in `/proc/self/status`: `VmRSS` now, `VmHWM` at most; `getrusage` knows the parent's, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def plan() -> Iterator[str]:
    """Rows of a table: study B's batch and the largest one on a GPU of 24 GB."""
    yield "| network | precision | blocks | batch 48, GB | largest batch in 24 GB |"
    yield "|---|---|---|---|---|"
    for head in ("p3d_63", "p3d_199", "convlstm_c2d_63"):
        for precision in ("float32", "mixed_float16"):
            for recompute in ("kept", "recomputed"):
                params = chosen(recompute).model_copy(update={"precision": precision})
                found = footprint(
                    chosen_design(head, params.video), params, frames=FRAMES, side=160, classes=101
                )
                figures = f"{found.of(48) / 1e9:.1f} | {found.most_clips(GPU)}"
                yield f"| {head} | {precision} | {recompute} | {figures} |"


def main(case: Sequence[str]) -> None:
    """Measure one case, or print the table of all."""
    if case == ["plan"]:
        print("\n".join(plan()))
        return
    if case:
        head, side, batch, recompute = case
        print(taken(head, int(side), int(batch), recompute))
        return
    print("| network | side | batch | blocks | counted, GB | taken, GB | counted / taken |")
    print("|---|---|---|---|---|---|---|")
    for head, side, batch, recompute in CASES:
        command = [sys.executable, "-m", "benchmarks.video_networks.memory", head, side, batch, recompute]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found, expected = int(done.stdout), counted(head, int(side), recompute).of(int(batch))
        figures = f"{expected / 1e9:.2f} | {found / 1e9:.2f} | {expected / found:.2f}"
        print(f"| {head} | {side} | {batch} | {recompute} | {figures} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
