"""Forms of a recurrent head as a TFLite file; `python -m benchmarks.heads.forms` converts some in a process.

A converter that crashes takes its process with it, so that each form has its own.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import ROOT
from benchmarks.heads.runner import Runner
from components.conversion.head import _no_dropout, _with_batch_of_one, convert_head
from reelflow.files import atomic
from reelflow.nets.runtime import prepare
from reelflow.nets.saved import load_head

Clips = NDArray[np.float32]  # (clips, frames, dim)
TIMEOUT_S = 900


class Form(NamedTuple):
    """How the loop over frames is written, and what it computes with.

    Attributes:
        graph: `loop`: a while operator; `unrolled`: a copy of the cell a frame; `step`: one cell,
            `(frame, state) -> (state, scores)`, called once a frame.
        numbers: `float32`; `dynamic`: int8 weights; `int8`: activations too; `int16x8`: those in 16 bits.
    """

    graph: str
    numbers: str

    def __str__(self) -> str:
        return f"{self.graph}-{self.numbers}"


FORMS = tuple(
    Form(graph, numbers)
    for graph in ("loop", "unrolled", "step")
    for numbers in ("float32", "dynamic", "int8", "int16x8")
)


def path_of(head: Path, form: Form) -> Path:
    """Where a form of a trained head is."""
    return head.with_name(f"{head.stem}-{form}.tflite")


def convert(heads: Sequence[Path], calibration: Sequence[Clips], form: Form) -> str:
    """Convert heads in a process of its own and run each once; returns why that failed, or nothing."""
    for head, clips in zip(heads, calibration, strict=True):
        np.save(_samples_of(head), clips)
    command = [sys.executable, "-m", "benchmarks.heads.forms", form.graph, form.numbers, *map(str, heads)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"no result after {TIMEOUT_S} s"
    return "" if done.returncode == 0 else _reason(done.returncode, done.stderr)


def _samples_of(head: Path) -> Path:
    return head.with_suffix(".npy")


def _reason(code: int, said: str) -> str:
    """What went wrong, in a line of all that a converter writes."""
    told = [line.strip() for line in said.splitlines() if "rror: " in line or "Check failed" in line]
    how = f"exit {code}" if code > 0 else signal.Signals(-code).name
    return f"{how}: {told[-1][:200]}" if told else how


def converted(model: Any, calibration: Clips, form: Form) -> bytes:
    """A trained head in this form; whatever the converter raises is not caught."""
    if form.graph == "loop" and form.numbers in ("float32", "dynamic"):
        return convert_head(model, form.numbers)
    graph = {"loop": _with_batch_of_one, "unrolled": unrolled, "step": step}[form.graph](model)
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(graph)
    if form.numbers != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form.numbers in ("int8", "int16x8"):
        converter.representative_dataset = _samples(graph, calibration)
        wanted = tf.lite.OpsSet
        converter.target_spec.supported_ops = [
            wanted.TFLITE_BUILTINS_INT8
            if form.numbers == "int8"
            else wanted.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        ]
    content: bytes = converter.convert()
    return content


def unrolled(model: Any) -> Any:
    """The head with a copy of its cell a frame."""
    import keras

    def copied(layer: Any) -> Any:
        config = _no_dropout(layer.get_config())
        return type(layer).from_config(config | ({"unroll": True} if "unroll" in config else {}))

    _, frames, dim = model.input_shape
    features = keras.Input((frames, dim), batch_size=1, name="features")
    single = keras.models.clone_model(model, input_tensors=features, clone_function=copied)
    single.set_weights(model.get_weights())
    return single


def step(model: Any) -> Any:
    """One frame of the head: from `(1, dim)` and the state `(1, units)` to the state and the scores."""
    import keras

    single = _with_batch_of_one(model)
    layers = single.layers[1:]
    frame = keras.Input((single.input_shape[-1],), batch_size=1, name="frame")
    before = keras.Input((layers[0].units,), batch_size=1, name="before")
    state, _ = layers[0].cell(frame, [before])
    scores = state
    for layer in layers[1:]:
        scores = layer(scores)
    return keras.Model([frame, before], [state, scores])


def _samples(graph: Any, calibration: Clips) -> Callable[[], Iterator[dict[str, NDArray[np.float32]]]]:
    """Inputs of the graph, to find the ranges of its activations."""

    def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
        for clip in calibration:
            if len(graph.inputs) == 1:
                yield {"features": clip[None]}
                continue
            state = np.zeros(graph.inputs[1].shape, np.float32)
            for frame in clip:
                yield {"frame": frame[None], "before": state}
                state = graph([frame[None], state])[0].numpy()

    return samples


def main() -> None:
    """Convert heads: the form, and their files."""
    graph, numbers, *heads = sys.argv[1:]
    form = Form(graph, numbers)
    prepare()
    for head in map(Path, heads):
        calibration = np.load(_samples_of(head))
        content = converted(load_head(head), calibration, form)
        with atomic(path_of(head, form)) as partial:
            partial.write_bytes(content)
            Runner(partial)(calibration[0])


if __name__ == "__main__":
    main()
