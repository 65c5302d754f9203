"""A converted head on LiteRT, one thread, whichever its form."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

Scores = NDArray[np.float32]
STEP_INPUTS = {"before", "frame"}


class Runner:
    """From a clip `(frames, dim)` to scores `(classes,)`; a `step` is called once a frame."""

    def __init__(self, path: Path) -> None:
        """Load a head; its inputs and outputs are float32."""
        self._interpreter = Interpreter(model_path=str(path), num_threads=1)
        (signature,) = self._interpreter.get_signature_list().values()
        self._call = self._interpreter.get_signature_runner()
        self._inputs, self._outputs = sorted(signature["inputs"]), sorted(signature["outputs"])
        self._is_step = set(self._inputs) == STEP_INPUTS

    def __call__(self, clip: NDArray[np.float32]) -> Scores:
        """Scores of one clip."""
        if not self._is_step:
            scores: Scores = self._call(**{self._inputs[0]: clip[None]})[self._outputs[0]][0]
            return scores
        state = np.zeros(self._call.get_input_details()["before"]["shape"], np.float32)
        for frame in clip:
            found = self._call(frame=frame[None], before=state)
            state = found[self._outputs[0]]
        last: Scores = found[self._outputs[1]][0]
        return last


def scores_of(path: Path, clips: NDArray[np.float32]) -> Scores:
    """Scores `(clips, classes)` of one head."""
    runner = Runner(path)
    return np.stack([runner(clip) for clip in clips])


def milliseconds(
    paths: Mapping[str, Path], clips: Sequence[NDArray[np.float32]], rounds: int
) -> dict[str, float]:
    """Least time of a clip by name, measured in turns, so that a noisy machine disturbs all."""
    runners = {name: Runner(path) for name, path in paths.items()}
    least = dict.fromkeys(paths, float("inf"))
    for number in range(rounds):
        clip = clips[number % len(clips)]
        for name, runner in runners.items():
            started = time.perf_counter()
            runner(clip)
            least[name] = min(least[name], 1000 * (time.perf_counter() - started))
    return least
