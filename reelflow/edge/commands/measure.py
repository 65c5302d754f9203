"""How fast a bundle is on this device: what `reelflow benchmark` measures."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import Field

from reelflow.documents import Document
from reelflow.edge.classifier import LEAST_WINDOW_S, MOST_WINDOW_S, Classifier
from reelflow.edge.commands.opening import opened
from reelflow.edge.golden_video import VIDEO
from reelflow.edge.watch.thermal import temperature_c, throttled
from reelflow.video.decode import sample_frames
from reelflow.video.preprocess import preprocess
from reelflow.workers.stderr import silenced_stderr

Result = TypeVar("Result")
ROUNDS = 30
TENTH = 10
STATUS = Path("/proc/self/status")
MOST_KIB = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class Percentiles(Document):
    """Durations of one stage, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float


class DeviceSpeed(Document):
    """One measurement."""

    bundle: str
    threads: int
    load_s: float = Field(description="checks of every file, and both networks")
    first_answer_s: float = Field(description="from then on, for one clip, decoding included")
    stages: dict[str, Percentiles] = Field(description="decode, resize and backbone a frame, head a window")
    steady_s: float
    frames_per_s: float = Field(description="resize, backbone and the head once a window, steadily")
    first_frames_per_s: float = Field(description="in the first tenth of that time")
    last_frames_per_s: float = Field(description="in the last: lower where the device throttles")
    sampled_per_s: float = Field(description="frames of one camera; 0 if the bundle gives no window")
    cameras: float = Field(description="whose frames it keeps up with; 0 likewise")
    temperature_c: float | None = Field(description="highest sensor; null where the system does not tell")
    throttled: bool | None = Field(description="null where the system does not tell")
    peak_mb: float | None = Field(description="of this process at most; null likewise, without /proc")


def measure(bundle: Path, clip: Path | None, steady_s: float, threads: int) -> DeviceSpeed:
    """Measure a bundle.

    Args:
        bundle: its folder.
        clip: a clip to decode; None for the golden video.
        steady_s: seconds of steady work.
        threads: that LiteRT computes with.

    Raises:
        BundleError: the bundle is damaged.
        ClipError: the clip cannot be decoded.
    """
    video = clip or VIDEO
    checked, check_s = _timed(lambda: opened(bundle))
    with silenced_stderr():
        classifier, networks_s = _timed(lambda: Classifier(checked, threads=threads))
    _, first_answer_s = _timed(lambda: classifier.classify(video))
    sampling = classifier.report.sampling
    frames = sample_frames(video, sampling.frames)
    stages = _stages(classifier, video, frames)
    rates = _steady(classifier, frames, steady_s)
    has_window = LEAST_WINDOW_S <= sampling.clip_s <= MOST_WINDOW_S
    sampled_per_s = sampling.frames / sampling.clip_s if has_window else 0.0
    mean = float(np.mean(rates))
    return DeviceSpeed(
        bundle=classifier.report.name,
        threads=threads,
        load_s=check_s + networks_s,
        first_answer_s=first_answer_s,
        stages=stages,
        steady_s=steady_s,
        frames_per_s=mean,
        first_frames_per_s=rates[0],
        last_frames_per_s=rates[-1],
        sampled_per_s=sampled_per_s,
        cameras=mean / sampled_per_s if sampled_per_s else 0.0,
        temperature_c=temperature_c(),
        throttled=throttled(),
        peak_mb=peak_mb(),
    )


def peak_mb(status: Path = STATUS) -> float | None:
    """The most memory of this process; None where the system does not tell.

    `getrusage` does not tell it: its figure outlives exec, and is that of the process which started this one
    where that was larger (`exec_mmap` in Linux' fs/exec.c).
    """
    with suppress(FileNotFoundError):
        if found := MOST_KIB.search(status.read_text()):
            return int(found[1]) * 1024 / 1e6
    return None


def _stages(classifier: Classifier, video: Path, frames: np.ndarray) -> dict[str, Percentiles]:
    how, count = classifier.report.backbone.preprocessing, len(frames)
    pictures = preprocess(frames, how)
    wide = classifier.codes_from_frames(frames)
    found = {
        "decode": [_timed(lambda: sample_frames(video, count))[1] / count for _ in range(ROUNDS)],
        "resize": _each(ROUNDS * count, lambda n: preprocess(frames[n % count][None], how)),
        "backbone": _each(
            ROUNDS * count, lambda n: classifier.codes_from_preprocessed(pictures[n % count][None])
        ),
        "head": _each(ROUNDS, lambda _: classifier.scores_from_features(wide)),
    }
    return {name: _percentiles(seconds) for name, seconds in found.items()}


def _steady(classifier: Classifier, frames: np.ndarray, seconds: float) -> list[float]:
    """Frames a second in each tenth of the time."""
    rates = []
    for _ in range(TENTH):
        started, done = time.perf_counter(), 0
        while (passed := time.perf_counter() - started) < seconds / TENTH or not done:
            classifier.scores_from_frames(frames)
            done += len(frames)
        rates.append(done / max(passed, time.perf_counter() - started))
    return rates


def _each(rounds: int, work: Callable[[int], object]) -> list[float]:
    return [_timed(partial(work, number))[1] for number in range(rounds)]


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    started = time.perf_counter()
    result = work()
    return result, time.perf_counter() - started


def _percentiles(seconds: list[float]) -> Percentiles:
    p50, p95, p99 = (float(value) * 1e3 for value in np.percentile(seconds, (50, 95, 99)))
    return Percentiles(p50_ms=round(p50, 3), p95_ms=round(p95, 3), p99_ms=round(p99, 3))
