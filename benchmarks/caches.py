"""Benchmarks of the cache of codes: training from it, and pulling it."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.distance import far_away

CLIPS, FRAMES, DIM, CLASSES = 1024, 25, 1280, 10
BATCH, EPOCHS = 64, 3
SHARDS = 8
TURNS = 3
PULLED = {1000: (0, 0.1), 13_320: (0,)}
"""Seconds to S3 by the number of clips; Amazon says 0.1 to 0.2 for small objects."""
Row = tuple[str, str, float, str, str]


def training(out: Path) -> Row:
    """Epochs of GRU(1280) from stored codes against `model.fit` on float32 arrays, one process each."""
    folder = out / "codes"
    if not folder.exists():
        write_codes(folder)
    turns = [{name: _measured(name, folder) for name in ("fit", "ours")} for _ in range(TURNS)]
    fit, ours = (min((turn[name] for turn in turns), key=lambda found: found["seconds"]) for name in turns[0])
    details = (
        f"{ours['seconds']:.1f} s an epoch of {CLIPS} clips to {fit['seconds']:.1f} s; clips take "
        f"{ours['data_mb']:.0f} MB to {fit['data_mb']:.0f} MB, the process "
        f"{ours['peak_mb']:.0f} MB to {fit['peak_mb']:.0f} MB"
    )
    return (
        f"training GRU(1280), batch {BATCH}",
        "model.fit on float32",
        fit["seconds"] / ours["seconds"],
        ">= 1.0, 1/4 of the memory",
        details,
    )


def write_codes(folder: Path) -> None:
    """A cache of one shard with random codes: their values do not affect the duration of an epoch."""
    folder.mkdir(parents=True)
    chance = np.random.default_rng(1)
    np.save(folder / "codes.npy", chance.integers(0, 256, (CLIPS, FRAMES, DIM), np.uint8))
    np.save(folder / "truth.npy", chance.integers(0, CLASSES, CLIPS))


def _measured(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-W", "ignore", str(Path(__file__)), name, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def fit(folder: Path) -> dict[str, float]:
    """Keras as in its guide: all features as float32 in memory."""
    import keras

    features = np.load(folder / "codes.npy").astype(np.float32) / np.float32(255)
    truth, network, params = np.load(folder / "truth.npy"), *_network()
    network.compile(
        optimizer=_optimizer(params), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    times = _Times()
    stopwatch = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: times.begin(), on_epoch_end=lambda *_: times.end()
    )
    network.fit(features, truth, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=[stopwatch])
    return times.found(features.nbytes)


def ours(folder: Path) -> dict[str, float]:
    """Epochs of the training step, from the memory-mapped codes."""
    from components.training.learners.graph import Stepper
    from components.training.learners.objective import distributions
    from reelflow.nets.examples import batches

    codes, truth = np.load(folder / "codes.npy", mmap_mode="r"), np.load(folder / "truth.npy")
    network, params = _network()
    step, times, chance = Stepper(network, params, is_taught=False), _Times(), np.random.default_rng(1)
    for _ in range(EPOCHS):
        times.begin()
        for rows in batches(chance.permutation(CLIPS), BATCH):
            features = np.multiply(codes[rows], np.float32(1 / 255), dtype=np.float32)
            step(features, distributions(truth[rows], CLASSES, params, None))
        times.end()
    return times.found(codes.nbytes)


def _network() -> tuple[Any, Any]:
    from reelflow.nets.heads import build_head
    from reelflow.params import load_params

    values = {"units": DIM, "batch_size": BATCH}
    params = load_params(ROOT / "params.large.yaml").with_values(training=values).training
    return build_head("gru", params=params, frames=FRAMES, dim=DIM, classes=CLASSES), params


def _optimizer(params: Any) -> Any:
    from components.training.learners.objective import build_optimizer

    return build_optimizer(params)


class _Times:
    def __init__(self) -> None:
        self._seconds: list[float] = []
        self._started = 0.0

    def begin(self) -> None:
        self._started = time.perf_counter()

    def end(self) -> None:
        self._seconds.append(time.perf_counter() - self._started)

    def found(self, data_bytes: int) -> dict[str, float]:
        """The fastest epoch: the first one builds graphs."""
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {"seconds": min(self._seconds), "data_mb": data_bytes / 1e6, "peak_mb": peak_kb / 1e3}


def pull(out: Path) -> list[Row]:
    """`dvc pull` of clips' codes: shards against a file a clip, from S3 here and further away."""
    from tests.s3_server import ACCESS_KEY, SECRET_KEY, rclone_s3

    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    os.environ["AWS_RESPONSE_CHECKSUM_VALIDATION"] = "when_required"  # rclone gives a part's for the whole
    rows = []
    for clips, latencies_s in PULLED.items():
        place = out / "pull"
        shutil.rmtree(place, ignore_errors=True)
        codes = np.random.default_rng(1).integers(0, 256, (clips, FRAMES, DIM), np.uint8)
        with rclone_s3(place / "server", "caches") as endpoint:
            origins = {
                "file": _push(place / "file", endpoint, list(codes)),
                "shard": _push(place / "shard", endpoint, np.array_split(codes, SHARDS)),
            }
            address = urlsplit(endpoint)
            for latency_s in latencies_s:
                with far_away(str(address.hostname), int(address.port or 0), latency_s) as port:
                    what = f"dvc pull of {clips:,} clips, S3 {latency_s * 1000:.0f} ms away"
                    rows.append((what, *_compare(place, origins, f"http://127.0.0.1:{port}")))
    shutil.rmtree(place)
    return rows


def _push(origin: Path, endpoint: str, parts: Sequence[NDArray[np.uint8]]) -> Path:
    """A repository that has pushed codes, one file per part."""
    _repository(origin, endpoint, origin.name)
    (origin / "features").mkdir()
    for number, part in enumerate(parts):
        np.save(origin / "features" / f"{number:05d}.npy", part)
    _dvc(origin, "add", "features")
    _dvc(origin, "push")
    return origin


def _compare(place: Path, origins: dict[str, Path], endpoint: str) -> tuple[str, float, str, str]:
    turns = [{name: _pull(place / name, origins[name], endpoint) for name in origins} for _ in range(TURNS)]
    files, shards, start = (
        min(turn[name][part] for turn in turns) for name, part in (("file", 0), ("shard", 0), ("shard", 1))
    )
    beyond = max(files - start, 0), max(shards - start, 0)
    details = (
        f"{shards:.1f} s to {files:.1f} s; beyond the {start:.1f} s of a pull of nothing "
        f"{beyond[1]:.2f} s to {beyond[0]:.2f} s: {beyond[0] / beyond[1]:.1f}"
    )
    return "a file a clip", files / shards, ">= 10", details


def _pull(place: Path, origin: Path, endpoint: str) -> tuple[float, float]:
    """Seconds that a new repository takes to pull what `origin` has pushed, and to pull again."""
    folder = _repository(place.with_name(f"{place.name}-pulled"), endpoint, origin.name)
    shutil.copy(origin / "features.dvc", folder)
    seconds = [_seconds(lambda: _dvc(folder, "pull")) for _ in range(2)]
    shutil.rmtree(folder)
    return seconds[0], seconds[1]


def _seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _repository(folder: Path, endpoint: str, prefix: str) -> Path:
    folder.mkdir(parents=True)
    _dvc(folder, "init", "--no-scm")
    _dvc(folder, "remote", "add", "--default", "caches", f"s3://caches/{prefix}")
    _dvc(folder, "remote", "modify", "caches", "endpointurl", endpoint)
    return folder


def _dvc(folder: Path, *arguments: str) -> None:
    command = [str(Path(sys.executable).with_name("dvc")), *arguments, "--quiet"]
    subprocess.run(command, cwd=folder, check=True, env=os.environ | {"DVC_NO_ANALYTICS": "true"})


MEASURED: dict[str, Callable[[Path], dict[str, float]]] = {"fit": fit, "ours": ours}

if __name__ == "__main__":
    print(json.dumps(MEASURED[sys.argv[1]](Path(sys.argv[2]))))
