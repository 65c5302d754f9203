"""References for reelflow: the study's recipe as a straightforward script, and the limit of the machine."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reelflow.backbones.mobilenet_v2_quant import FILE, SIDE, TENSOR, open_network
from reelflow.backbones.tflite.cut import cut_at
from reelflow.video.decode import sample_frames

FRAMES = 25
Frames = list[NDArray[np.uint8]]


def recipe(clips: Sequence[Path], weights: Path, target: Path, workers: int = 1) -> None:
    """All frames decoded and converted, one interpreter of one thread, a frame a call, a .npy a clip."""
    target.mkdir(parents=True)
    parts = [(clips[number::workers], weights, target) for number in range(workers)]
    if workers == 1:
        _embed_clips(*parts[0])
        return
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_embed_clips, *zip(*parts, strict=True)))


def _embed_clips(clips: Sequence[Path], weights: Path, target: Path) -> None:
    call = _network(weights)
    for place, clip in enumerate(clips):
        with av.open(str(clip)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        chosen = [frames[index] for index in np.linspace(0, len(frames) - 1, FRAMES).astype(int)]
        np.save(target / f"{clip.stem}-{place}.npy", np.stack([call(_resize(frame)) for frame in chosen]))


@dataclass(frozen=True)
class Limit:
    """Seconds of pure work on one core."""

    decode: float
    resize: float
    network: float

    def seconds(self, cores: int) -> float:
        """Seconds if no core ever waits."""
        return (self.decode + self.resize + self.network) / cores


def limit(clips: Sequence[Path], weights: Path) -> Limit:
    """Time decoding, resizing and calls of the network, one after another on one core.

    Only the sampled frames are converted, which is the cheapest way to decode them.
    """
    call = _network(weights)
    seconds = {"decode": 0.0, "resize": 0.0, "network": 0.0}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        started = time.perf_counter()
        result = work()
        seconds[what] += time.perf_counter() - started
        return result

    for clip in clips:
        frames = timed("decode", lambda clip=clip: sample_frames(clip, FRAMES))
        small = timed("resize", lambda frames=frames: [_resize(frame) for frame in frames])
        timed("network", lambda small=small: [call(frame) for frame in small])
    return Limit(**seconds)


def _resize(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(frame).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _network(weights: Path) -> Callable[[NDArray[np.uint8]], NDArray[np.uint8]]:
    interpreter = open_network(cut_at((weights / FILE.name).read_bytes(), TENSOR))
    source, result = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def call(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        interpreter.set_tensor(source, frame[None])
        interpreter.invoke()
        codes: NDArray[np.uint8] = interpreter.get_tensor(result).reshape(-1)
        return codes

    return call
