"""An epoch by one worker and by two that share this machine's CPUs, by the training step itself."""

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.video_networks.input import write_pixels
from benchmarks.video_networks.steps import training_params
from components.training.step import run
from reelflow.progress import Event, watched_by

EPOCHS, WIDTH = 4, 0.5
TEAMS = (1, 2)


def measure(name: str, batch: int, side: int) -> dict[str, Any]:
    """Seconds an epoch, the shortest but for the first, in which graphs are traced; and the last losses."""
    with tempfile.TemporaryDirectory() as folder:
        dataset, features = write_pixels(Path(folder), side)
        found = {workers: _train(name, batch, workers, dataset, features) for workers in TEAMS}
    seconds = {f"{workers}_workers_epoch_s": round(found[workers][0], 3) for workers in TEAMS}
    losses = {f"{workers}_workers_train_loss": round(found[workers][1], 5) for workers in TEAMS}
    return {"width": WIDTH, **seconds, "speedup": round(found[1][0] / found[2][0], 3), **losses}


def _train(name: str, batch: int, workers: int, dataset: Path, features: Path) -> tuple[float, float]:
    """Seconds of the fastest epoch, and the last loss."""
    plain = training_params()
    params = plain.model_copy(
        update={
            "workers": workers,
            "batch_size": batch,
            "epochs": EPOCHS,
            "patience": EPOCHS,
            "checkpoint_every_s": 3600.0,
            "optimizer": "rmsprop",
            "learning_rate": 1e-4,
            "dropout": 0.0,
            "video": plain.video.model_copy(update={"width": WIDTH}),
        }
    )
    events: list[Event] = []
    model = dataset.parent / f"model-{workers}"
    model.mkdir()
    with watched_by(events.append):
        run(params, head=name, protocol="holdout", dataset=dataset, features=features, model=model)
    epochs = [event for event in events if event["kind"] == "epoch"]
    lasted = [later["time"] - earlier["time"] for earlier, later in pairwise(epochs)]
    return min(lasted), epochs[-1]["train_loss"]
