"""Long videos of a disc that grows or shrinks, and a bundle that classifies them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from reelflow.backbones.thumbnail import SPEC
from reelflow.contracts import BundleReport, Sampling
from reelflow.video.decode import probe, sample_frames
from reelflow.video.preprocess import preprocess
from tests.bundles import write_bundle

ORDER = ("growing", "shrinking")
FRAMES, FPS = 25, 15


@dataclass(frozen=True)
class Part:
    """The position of a clip in a video."""

    label: str
    start_s: float
    end_s: float


def write_parts(folder: Path, labels: Sequence[str], first_seed: int) -> list[Path]:
    """A clip for each label, each of a scene of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{place}-{label}.mp4" for place, label in enumerate(labels)]
    for place, (path, label) in enumerate(zip(paths, labels, strict=True)):
        write_images(_disc(label, first_seed + place), path, (160, 120))
    return paths


def _disc(label: str, seed: int) -> list[np.ndarray]:
    """A dark disc on a bright background that grows or shrinks."""
    chance = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(160) - 80, np.arange(120) - 60)
    distance = np.hypot(x - chance.uniform(-7, 7), y - chance.uniform(-5, 5))
    slope_x, slope_y = chance.uniform(-0.08, 0.08, 2)
    waves = chance.uniform(10, 30) * np.sin(slope_x * x + slope_y * y + chance.uniform(0, 6))
    background, level = chance.uniform(170, 215) + waves, chance.uniform(50, 110)
    progress = np.clip(np.linspace(-0.15, 1.15, int(chance.integers(25, 40))), 0, 1)  # it rests at either end
    radii = chance.uniform(41, 48) * (0.3 + 0.9 * progress)
    images = [np.where(distance < radius, level, background) for radius in radii]
    noisy = [np.clip(image + chance.normal(0, 5, image.shape), 0, 255).astype(np.uint8) for image in images]
    return [np.repeat(image[..., None], 3, axis=2) for image in noisy[:: 1 if label == "growing" else -1]]


def join(paths: Sequence[Path], target: Path, times: int = 1) -> list[Part]:
    """Join clips to one video, the whole of it `times` over; gives the parts of the first time."""
    clips = [sample_frames(path, probe(path).frame_count) for path in paths]
    height, width = clips[0].shape[1:3]
    write_images((image for _ in range(times) for clip in clips for image in clip), target, (width, height))
    ends = [float(end) / FPS for end in np.cumsum([len(clip) for clip in clips])]
    labels = [path.stem.partition("-")[2] for path in paths]
    return [Part(*part) for part in zip(labels, [0.0, *ends], ends, strict=False)]


def write_images(images: Iterable[np.ndarray], target: Path, size: tuple[int, int]) -> None:
    """A video of these images, `FPS` a second."""
    with av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS, options={"qscale": "3"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for count, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = count, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_order_bundle(folder: Path, clips: Path, **changes: object) -> BundleReport:
    """A bundle that tells growing from shrinking: a linear head, fitted by ridge regression to 24 clips."""
    paths = write_parts(clips, ORDER * 12, first_seed=100)
    codes = [preprocess(sample_frames(path, FRAMES), SPEC.preprocessing) for path in paths]
    features = np.stack(codes).reshape(len(paths), -1) / 255.0  # (clips, frames * dim)
    signs = np.array([1.0, -1.0] * 12)
    gram = features @ features.T + 3.0 * np.eye(len(paths))
    weights = features.T @ np.linalg.solve(gram, signs)  # (frames * dim,)
    clip_s = float(np.median([probe(path).duration_s for path in paths]))
    sampling = Sampling(frames=FRAMES, clip_s=clip_s)
    return write_bundle(folder, _linear(3 * weights), ORDER, frames=FRAMES, sampling=sampling, **changes)


def write_level_bundle(folder: Path) -> BundleReport:
    """A bundle that tells dark frames from bright ones, whatever they show."""
    weights = np.full(FRAMES * SPEC.dim, 10 / FRAMES / SPEC.dim)
    return write_bundle(folder, _linear(weights, -5.0), ("bright", "dark"), frames=FRAMES)


def _linear(weights: np.ndarray, bias: float = 0.0):
    """A head whose first class has these weights, and its second class their opposite."""
    from reelflow.nets.runtime import prepare

    prepare()
    import keras

    features = keras.Input((FRAMES, SPEC.dim))
    scores = keras.layers.Dense(2, activation="softmax")(keras.layers.Flatten()(features))
    model = keras.Model(features, scores)
    model.set_weights([np.stack([weights, -weights], axis=1), np.array([bias, -bias])])
    return model
