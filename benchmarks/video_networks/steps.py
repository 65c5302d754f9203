"""A training step and a forward pass: ours, stock layers, and the floor."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.video_networks.floor import floor_calls, recorded
from components.training.learners.graph import Stepper, scorer
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import prepare
from reelflow.nets.video.design import NETWORKS
from reelflow.params import TrainingParams, load_params

STUDY = Path("params.study-b.yaml")
FRAMES, CLASSES, ROUNDS = 16, 101, 5
Calls = dict[str, Callable[[], Any]]


def measure(name: str, batch: int, side: int) -> dict[str, Any]:
    """Seconds a step and a forward pass, the best of `ROUNDS` in turn, and their ratios."""
    prepare()
    import keras

    from benchmarks.video_networks.stock import stock_network

    params = training_params()
    chance = np.random.default_rng(1)
    clips = chance.random((batch, FRAMES, side, side, 3), np.float32)
    labels = np.eye(CLASSES, dtype=np.float32)[chance.integers(CLASSES, size=batch)]
    targets = np.concatenate([labels, np.zeros_like(labels)], axis=1)  # (batch, 2 * classes): no teacher
    features = clips.reshape(batch, FRAMES, -1)
    ours = {kind: _build(name, side, params, kind) for kind in ("float32", "mixed_bfloat16")}
    stock = stock_network(NETWORKS[name], frames=FRAMES, side=side, classes=CLASSES)
    stock.compile(keras.optimizers.RMSprop(params.learning_rate), "categorical_crossentropy")
    forward, both = floor_calls(recorded(lambda: ours["float32"](features, training=False)))
    steppers = {kind: Stepper(network, params, is_taught=False) for kind, network in ours.items()}
    scorers = {kind: scorer(network) for kind, network in ours.items()}
    steps: Calls = {kind: _call(one, features, targets) for kind, one in steppers.items()}
    steps |= {"stock": lambda: stock.train_on_batch(clips, labels), "floor": both}
    passes: Calls = {kind: _call(one, features) for kind, one in scorers.items()}
    passes |= {"stock": lambda: stock.predict_on_batch(clips), "floor": forward}
    found = {"stock_compiled": bool(stock.jit_compile)}
    for what, calls in (("step", steps), ("forward", passes)):
        seconds = in_turn(calls)
        found |= {f"{what}_{name}_s": round(value, 4) for name, value in seconds.items()}
        found |= {
            f"{what}_times_faster_than_stock": round(seconds["stock"] / seconds["float32"], 2),
            f"{what}_times_faster_in_bfloat16": round(seconds["stock"] / seconds["mixed_bfloat16"], 2),
            f"{what}_over_floor": round(seconds["float32"] / seconds["floor"], 3),
        }
    return found


def training_params(**changes: Any) -> TrainingParams:
    """Study B's values."""
    return load_params(STUDY).training.model_copy(update=changes)


def _build(name: str, side: int, params: TrainingParams, precision: str) -> Any:
    chosen = params.model_copy(update={"precision": precision})
    return build_head(name, frames=FRAMES, dim=side * side * 3, classes=CLASSES, params=chosen)


def _call(function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    return lambda: function(*arguments)


def in_turn(calls: Calls) -> dict[str, float]:
    """Seconds of each call, the best of `ROUNDS`; the first is not counted."""
    best = dict.fromkeys(calls, float("inf"))
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            found = call()
            _wait(found)
            if number:
                best[name] = min(best[name], time.perf_counter() - started)
    return best


def _wait(found: Any) -> None:
    for one in found if isinstance(found, list | tuple) else [found]:
        np.asarray(one)
