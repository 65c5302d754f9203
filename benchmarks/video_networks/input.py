"""Waiting for input: a batch from the shards of `pixels`, against a training step and plain arrays."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.video_networks.steps import FRAMES, in_turn, training_params
from components.dataset.step import run as run_dataset
from components.features.step import run as run_features
from components.frames.step import run as run_frames
from components.training.learners.graph import Stepper
from reelflow.nets.examples import Examples, load_examples
from reelflow.nets.heads import build_head
from reelflow.params import load_params
from reelflow.settings import Settings

RECIPE = Path("components/dataset/embedded.yaml")
WHAT = ("shards", "memory", "arrays")


def measure(name: str, batch: int, side: int) -> dict[str, Any]:
    """Seconds to have a batch, and their share of a training step on it."""
    with tempfile.TemporaryDirectory() as folder:
        mapped, held = _examples(Path(folder), side)
        clips = np.random.default_rng(1).integers(0, 256, (batch, FRAMES, side * side * 3), np.uint8)
        rows = np.random.default_rng(1).permutation(len(mapped.clips))[:batch]
        classes = len(mapped.labels)
        network = build_head(
            name, frames=FRAMES, dim=side * side * 3, classes=classes, params=training_params()
        )
        step = Stepper(network, training_params(), is_taught=False)
        features = mapped.features(rows)
        targets = np.eye(2 * classes, dtype=np.float32)[mapped.truth[rows]]
        seconds = in_turn(
            {
                "shards": lambda: mapped.features(rows),
                "memory": lambda: held.features(rows),
                "arrays": lambda: np.multiply(clips, np.float32(1 / 255), dtype=np.float32),
                "step": lambda: step(features, targets),
            }
        )
    shares = {f"{what}_share_of_step": round(seconds[what] / seconds["step"], 4) for what in WHAT}
    return {f"{what}_s": round(value, 4) for what, value in seconds.items()} | shares


def _examples(folder: Path, side: int) -> tuple[Examples, Examples]:
    """The generated clips as pixels: read from mapped shards, and held in memory."""
    dataset, features = write_pixels(folder, side)
    mapped, held = (load_examples(dataset, features, most_bytes=most)[0] for most in (0, 2**40))
    return mapped, held


def write_pixels(folder: Path, side: int) -> tuple[Path, Path]:
    """The folders of the generated clips and of their pixels."""
    backbone, settings = f"pixels_{side}", Settings()
    params = load_params(Path("params.yaml")).with_values(
        frames={"count": FRAMES}, features={"backbones": [backbone]}
    )
    dataset, frames, features = (folder / step for step in ("dataset", "frames", "features"))
    for made in (dataset, frames, features):
        made.mkdir()
    run_dataset(params.dataset, source=RECIPE, dataset=dataset)
    run_frames(params.frames, dataset=dataset, frames=frames, settings=settings)
    run_features(
        params.features,
        backbone=backbone,
        dataset=dataset,
        frames=frames,
        features=features,
        settings=settings,
    )
    return dataset, features
