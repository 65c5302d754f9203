"""How many clips a second a trained network classifies on this machine."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from pipelines.studies.study_b.published import CLIPS_OF_P3D
from pipelines.studies.ucf101.results import ClassifierResult
from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError, ParamsError, ReelflowError
from reelflow.files import write_text
from reelflow.workers.cpus import bound_thread_pools, granted_cpus

LEAST_CALLS, LEAST_S = 3, 2.0  # measured, after a first one that is not


class Speed(Document):
    """`<classifier>.json`: seconds of a network's forward pass, from clips in memory to scores."""

    LARGEST: ClassVar[int] = CLIPS_OF_P3D

    model_sha256: Sha256
    machine: str = Field(description="the processor that TensorFlow used")
    single_s: float = Field(gt=0, description="one clip a call, the median of the calls")
    many_s: float = Field(gt=0, description="21 clips in one call, the median of the calls")

    @property
    def single_clips_per_s(self) -> float:
        """One clip a call: as many videos, where one clip answers for a video."""
        return 1 / self.single_s

    @property
    def many_clips_per_s(self) -> float:
        """Twenty-one clips a call."""
        return self.LARGEST / self.many_s

    @property
    def many_videos_per_s(self) -> float:
        """Videos, where 21 clips answer for a video."""
        return 1 / self.many_s


def call_seconds(network: Any, clips: int) -> float:
    """Seconds of a forward pass: the median of several, after a first one.

    Args:
        network: a Keras model from `(clips, frames, dim) float32` to scores.
        clips: in a call.
    """
    from components.training.learners.graph import scorer

    score = scorer(network)
    batch = np.random.default_rng(1).random((clips, *network.input_shape[1:]), np.float32)
    return median(_times(lambda: score(batch)))


def _times(call: Callable[[], object]) -> list[float]:
    call()
    seconds: list[float] = []
    while len(seconds) < LEAST_CALLS or sum(seconds) < LEAST_S:
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return seconds


def measured_speed(result: ClassifierResult, folder: Path) -> Speed | str:
    """The speed of a trained network: measured once, then read from `folder`.

    It is measured in a process of its own, which may run out of memory.

    Returns:
        The speed, or the reason why there is none.

    Raises:
        StorageError: the disk is full or read-only.
    """
    path, expected = folder / f"{result.candidate.name}.json", result.report.model_sha256
    try:
        if (known := Speed.read(path)).model_sha256 == expected:
            return known
    except BundleError:
        pass
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            found = pool.submit(measure, result.candidate.model, expected).result()
        except BrokenProcessPool:
            return "the process that measured the speed was ended; the memory may not suffice"
        except (ReelflowError, MemoryError) as error:
            return f"the speed was not measured: {error}"
    write_text(path, found.to_json())
    return found


def measure(model: Path, sha256: str) -> Speed:
    """Load a network and time it.

    Raises:
        BundleError: the file is missing or altered.
        ParamsError: 21 clips do not fit into memory.
    """
    from reelflow.nets.saved import load_head

    bound_thread_pools()
    network = load_head(model, sha256=sha256)

    from tensorflow.errors import ResourceExhaustedError

    try:
        single_s, many_s = (call_seconds(network, clips) for clips in (1, CLIPS_OF_P3D))
    except (MemoryError, ResourceExhaustedError) as error:
        raise ParamsError(f"{CLIPS_OF_P3D} clips do not fit into memory at once") from error
    return Speed(model_sha256=sha256, machine=_machine(), single_s=single_s, many_s=many_s)


def _machine() -> str:
    """The first GPU, else the CPUs that this process may use."""
    import tensorflow as tf

    for device in tf.config.list_physical_devices("GPU"):
        return str(tf.config.experimental.get_device_details(device).get("device_name", "a GPU"))
    return f"{granted_cpus()} CPU core(s), {_cpu_model()}"


def _cpu_model() -> str:
    """As Linux names it."""
    import platform

    file = Path("/proc/cpuinfo")
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
