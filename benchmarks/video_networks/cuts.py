"""One recipe, two cuts: accuracy from scratch where whole groups are held out, and where any clips are.

    python -m benchmarks.video_networks.cuts pack DIR... --output clips.npz      # here
    KERAS_BACKEND=jax python -m benchmarks.video_networks.cuts train clips.npz   # where the accelerator is

Five folds each; no fold's test clips choose anything: the number of epochs is fixed. `pack` keeps the pixels
of each data set, a folder with `groups.csv`, as JPEG. Prints a line of JSON each.
"""

import argparse
import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FRAMES, SIDE, QUALITY, FOLDS = 16, 160, 80, 5
LEAST_CLIPS = 2 * FOLDS  # of a class

Clips = NDArray[np.uint8]


def main() -> None:
    """Pack or train."""
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("folders", type=Path, nargs="+")
    packing.add_argument("--output", type=Path, required=True)
    training = commands.add_parser("train")
    training.add_argument("clips", type=Path)
    training.add_argument("--networks", default="p3d_63,convlstm_c2d_63,c2d_50")
    training.add_argument("--sets", default="")
    training.add_argument("--epochs", type=int, default=60)
    training.add_argument("--batch", type=int, default=48)
    training.add_argument("--seconds", type=float, default=540, help="no network starts after this")
    training.add_argument("--precision", default="mixed_bfloat16")
    found = parser.parse_args()
    if found.command == "pack":
        pack(found.folders, found.output)
    else:
        train(found)


def pack(folders: list[Path], output: Path) -> None:
    """Write `<set>/jpegs`, `lengths` `(clips, frames)`, `truth` and `groups` of every data set."""
    from reelflow.backbones.pixels import Pixels
    from reelflow.video.decode import sample_frames
    from reelflow.video.preprocess import preprocess

    how, arrays = Pixels("pixels").spec.preprocessing, {}
    for folder in folders:
        with (folder / "groups.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        labels = sorted({row["label"] for row in rows})
        rows = [row for row in rows if sum(one["label"] == row["label"] for one in rows) >= LEAST_CLIPS]
        jpegs = [
            [_jpeg(frame) for frame in preprocess(sample_frames(folder / row["path"], FRAMES), how)]
            for row in rows
        ]
        arrays[f"{folder.name}/jpegs"] = np.frombuffer(b"".join(b"".join(clip) for clip in jpegs), np.uint8)
        arrays[f"{folder.name}/lengths"] = np.array([[len(one) for one in clip] for clip in jpegs])
        arrays[f"{folder.name}/truth"] = np.array([labels.index(row["label"]) for row in rows])
        arrays[f"{folder.name}/groups"] = np.array([row["group"] for row in rows])
    np.savez(output, **arrays)


def _jpeg(frame: Clips) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(frame).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def unpack(file: Any, name: str) -> tuple[Clips, NDArray[np.int64], NDArray[Any]]:
    """Clips `(clips, frames, side * side * 3) uint8`, class indexes from 0 on, and groups of a data set."""
    content, lengths = file[f"{name}/jpegs"].tobytes(), file[f"{name}/lengths"]
    ends = np.cumsum(lengths).reshape(lengths.shape)
    clips = np.empty((*lengths.shape, SIDE * SIDE * 3), np.uint8)
    for place, (end, length) in enumerate(zip(ends.ravel(), lengths.ravel(), strict=True)):
        frame = np.asarray(Image.open(io.BytesIO(content[end - length : end])))
        clips[np.unravel_index(place, lengths.shape)] = frame.reshape(-1)
    return clips, np.unique(file[f"{name}/truth"], return_inverse=True)[1], file[f"{name}/groups"]


def train(found: argparse.Namespace) -> None:
    """Train and test every network on every fold of both cuts."""
    started = time.monotonic()
    with np.load(found.clips, allow_pickle=False) as file:
        names = found.sets.split(",") if found.sets else sorted({name.split("/")[0] for name in file.files})
        sets = {name: unpack(file, name) for name in names}
    for network in found.networks.split(","):
        for name, (clips, truth, groups) in sets.items():
            if time.monotonic() - started > found.seconds:
                print(json.dumps({"network": network, "set": name, "skipped": "no time left"}), flush=True)
                continue
            for result in measure(network, clips, truth, groups, found):
                print(json.dumps({"network": network, "set": name, **result}), flush=True)


def measure(
    network: str, clips: Clips, truth: NDArray[np.int64], groups: NDArray[Any], found: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """The pooled accuracy over the test clips of all folds, by group and by clip."""
    import jax
    import keras
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    from benchmarks.video_networks.jax_steps import JaxTrainer
    from reelflow.nets.video.design import NETWORKS
    from reelflow.nets.video.network import build_network

    keras.utils.set_random_seed(1)
    classes = int(truth.max()) + 1
    model = build_network(
        NETWORKS[network],
        name=network,
        frames=FRAMES,
        side=SIDE,
        classes=classes,
        dropout=0.5,
        precision=found.precision,
    )
    trainer, device = JaxTrainer(model), jax.device_put(clips)
    cuts = {"group": StratifiedGroupKFold, "random": StratifiedKFold}
    for cut, kind in cuts.items():
        started, right, losses = time.monotonic(), np.zeros(len(truth), bool), []
        folds = kind(FOLDS, shuffle=True, random_state=1)
        for number, (learnt, tested) in enumerate(folds.split(truth, truth, groups)):
            trainer.reset()
            losses.append(_fit(trainer, device, truth, learnt, found, seed=number))
            right[tested] = _scores(trainer, device, tested, found.batch).argmax(axis=1) == truth[tested]
        yield {
            "cut": cut,
            "clips": len(truth),
            "groups": len(set(groups)),
            "accuracy": round(float(right.mean()), 4),
            "interval": _interval(right, groups),
            "always_most_frequent": round(float(np.bincount(truth).max() / len(truth)), 4),
            "epochs": found.epochs,
            "last_loss": round(float(np.mean(losses)), 4),
            "seconds": round(time.monotonic() - started, 1),
            "precision": found.precision,
        }


def _fit(trainer: Any, clips: Any, truth: Any, rows: Any, found: argparse.Namespace, *, seed: int) -> float:
    """Train for the epochs asked for; the mean loss of the last one."""
    chance, losses = np.random.default_rng(seed), []
    size = min(found.batch, len(rows))
    for _ in range(found.epochs):
        order = chance.permutation(rows)
        batches = [order[at : at + size] for at in range(0, len(order) - size + 1, size)]
        losses = [trainer.train(clips[batch], truth[batch]) for batch in batches]
    return float(np.mean([float(loss) for loss in losses]))


def _scores(trainer: Any, clips: Any, rows: Any, size: int) -> NDArray[np.float32]:
    """Scores `(n, classes)` of some rows; the last batch is filled up, so that all have one shape."""
    parts = [np.resize(rows[at : at + size], size) for at in range(0, len(rows), size)]
    return np.concatenate([np.asarray(trainer.scores(clips[part])) for part in parts])[: len(rows)]


def _interval(right: NDArray[np.bool_], groups: NDArray[Any]) -> list[float]:
    """95 % by resampling whole groups."""
    chance, names = np.random.default_rng(1), np.unique(groups)
    rows = [np.flatnonzero(groups == name) for name in names]
    means = []
    for _ in range(2000):
        picked = np.concatenate([rows[place] for place in chance.integers(len(rows), size=len(rows))])
        means.append(right[picked].mean())
    return [round(float(value), 4) for value in np.percentile(means, [2.5, 97.5])]


if __name__ == "__main__":
    main()
