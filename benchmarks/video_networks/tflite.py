"""The product's conversion of a network against the stock one: MB, and ms a clip on one core."""

import contextlib
import io
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.video_networks.steps import CLASSES, FRAMES, in_turn, training_params
from components.conversion.head import HeadQuantization, convert_head
from reelflow.nets.heads import build_head
from reelflow.nets.runtime import prepare, seed_everything
from reelflow.nets.video.design import NETWORKS

QUANTIZATIONS: tuple[HeadQuantization, ...] = ("float32", "float16", "dynamic", "int8")
CALIBRATION = 4  # clips of noise


def measure(name: str, batch: int, side: int) -> dict[str, Any]:
    """Convert, and run what was converted in turn; `batch` is 1."""
    prepare()
    import keras
    import tensorflow as tf

    from benchmarks.video_networks.stock import stock_network

    seed_everything(1)
    chance = np.random.default_rng(1)
    clips = chance.random((CALIBRATION, FRAMES, side * side * 3), np.float32)
    network = build_head(name, frames=FRAMES, dim=side * side * 3, classes=CLASSES, params=training_params())
    stock = stock_network(NETWORKS[name], frames=FRAMES, side=side, classes=CLASSES, pools_3d=False)
    converter = tf.lite.TFLiteConverter.from_keras_model(
        keras.Model(single := keras.Input(stock.input_shape[1:], batch_size=batch), stock(single))
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    found: dict[str, Any] = {}
    models: dict[str, bytes] = {}
    for what in QUANTIZATIONS:
        models[what], found[f"{what}_conversion_s"] = _timed(partial(convert_head, network, what, clips))
    models["stock"], found["stock_conversion_s"] = _timed(converter.convert)
    found |= {f"{what}_mb": round(len(model) / 1e6, 1) for what, model in models.items()}
    calls = {}
    with tempfile.TemporaryDirectory() as folder:
        for what, model in models.items():
            path = Path(folder) / f"{what}.tflite"
            path.write_bytes(model)
            shape = stock.input_shape[1:] if what == "stock" else clips.shape[1:]
            calls[what] = _runner(path, clips[:1].reshape(1, *shape))
        found |= {f"{what}_ms": round(value * 1e3, 1) for what, value in in_turn(calls).items()}
    return found


def _timed(convert: Any) -> tuple[bytes, float]:
    started = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        model = convert()
    return model, round(time.perf_counter() - started, 1)


def _runner(path: Path, clip: Any) -> Any:
    """Runs a model on one core."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]

    def run() -> Any:
        interpreter.set_tensor(source["index"], clip)
        interpreter.invoke()
        return interpreter.get_tensor(target["index"])

    return run
