"""Generated clips: a shape rests, makes one short motion at a random moment, and rests again.

The classes of a motion show the same poses in different orders, and the motion begins in any frame
with the same probability. So one frame shows each pose equally often, whatever the class, but for the
frames next to an end. Frames that are at least as far apart as the motion is long show at most one of
its poses: they do not tell the classes apart. Every frame is coded by itself with a constant quantiser,
so that the size of the file does not tell the order either.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from components.dataset.generated.recipe import Motion, Poses, Recipe, read_recipe
from components.dataset.source.clips import FoundClip
from reelflow.errors import ClipError
from reelflow.files import atomic
from reelflow.progress import track
from reelflow.workers.processes import in_processes

CLIP_TIMEOUT_S = 120
POWERS = {"diamond": 1.0, "disc": 2.0, "square": 16.0}  # of the superellipse
SHIFT = 0.22  # at pose 1, of the frame's height
GROWTH = 0.5  # at pose 1, of the radius


@dataclass(frozen=True)
class Scene:
    """What the clips of a motion's classes share. Lengths are fractions of the frame's height."""

    frames: int
    start: int
    center: tuple[float, float]
    radius: float
    color: NDArray[np.float32]
    background: NDArray[np.float32]
    noise: float


@dataclass(frozen=True)
class Task:
    """One clip to draw."""

    recipe: Recipe
    path: Path
    label: str
    group: int
    number: int


def generate(recipe_file: Path, root: Path) -> list[FoundClip]:
    """Draw the clips of a recipe below `root`; those that are there stay as they are.

    Raises:
        ParamsError: the recipe cannot be read, or a value is out of bounds.
        StorageError: the disk is full or read-only.
    """
    recipe = read_recipe(recipe_file)
    clips = dict(_clips(recipe))
    tasks = [Task(recipe, root / clip.path, clip.label, *numbers) for clip, numbers in clips.items()]
    missing = [task for task in tasks if not task.path.exists()]
    for outcome in track(
        in_processes(draw_clip, missing, timeout_s=CLIP_TIMEOUT_S), len(missing), "clips drawn"
    ):
        if isinstance(outcome, ClipError):
            raise outcome
    return sorted(clips, key=lambda clip: clip.path)


def _clips(recipe: Recipe) -> Iterator[tuple[FoundClip, tuple[int, int]]]:
    """Every clip, with the numbers of its group and of itself within it."""
    for group in range(recipe.groups):
        for number in range(recipe.clips_per_group):
            for label in recipe.labels:
                path = f"{label}/g{group:02d}_c{number:02d}.mp4"
                yield FoundClip(path, label, f"g{group:02d}"), (group, number)


def draw_clip(task: Task) -> None:
    """Draw one clip and encode it.

    Raises:
        StorageError: the disk is full or read-only.
    """
    recipe = task.recipe
    place = next(i for i, motion in enumerate(recipe.motions) if task.label in motion.classes)
    motion, by_clip = recipe.motions[place], default_rng((recipe.seed, task.group, task.number, place))
    scene = _scene(recipe, motion, default_rng((recipe.seed, task.group)), by_clip)
    poses = spread_poses(scene.frames, scene.start, motion.classes[task.label])
    frames = (_frame(scene, motion, pose, by_clip) for pose in poses)
    with atomic(task.path) as partial:
        _encode(frames, partial, recipe)


def possible_starts(frames: int, motion: Motion) -> range:
    """First frames of a motion that a clip shows whole."""
    return range(frames - motion.frames + 1)


def spread_poses(frames: int, start: int, poses: Poses) -> NDArray[np.float64]:
    """The pose in each frame of a clip, `(frames,)`: rest, the motion, and rest."""
    spread = np.zeros(frames)
    spread[start : start + len(poses)] = poses
    return spread


def _scene(recipe: Recipe, motion: Motion, by_group: Generator, by_clip: Generator) -> Scene:
    shortest, longest = recipe.frames
    frames = int(by_clip.integers(shortest, longest + 1))
    return Scene(
        frames=frames,
        start=int(by_clip.choice(possible_starts(frames, motion))),
        center=(by_clip.uniform(-0.06, 0.06), by_clip.uniform(-0.06, 0.06)),
        radius=by_group.uniform(0.22, 0.28),
        color=by_group.uniform(150, 250, 3).astype(np.float32),
        background=_background(recipe, by_group),
        noise=by_group.uniform(*recipe.noise),
    )


def _background(recipe: Recipe, random: Generator) -> NDArray[np.float32]:
    """A dark wash of one colour with slow waves: `(height, width, 3) float32`."""
    x, y = np.meshgrid(np.arange(recipe.width), np.arange(recipe.height))
    direction = random.uniform(-0.1, 0.1, 2)
    waves = np.sin(direction[0] * x + direction[1] * y + random.uniform(0, 6))  # (height, width)
    wash = random.uniform(20, 70, 3) + random.uniform(4, 14) * waves[..., None]  # (height, width, 3)
    return np.asarray(wash, np.float32)


def _frame(scene: Scene, motion: Motion, pose: float, noise: Generator) -> NDArray[np.uint8]:
    """The scene with the shape in a pose: `(height, width, 3) uint8`."""
    (x, y), radius = scene.center, scene.radius
    match motion.changes:
        case "height":
            y -= SHIFT * pose
        case "side":
            x += SHIFT * pose
        case "size":
            radius *= 1 + GROWTH * pose
    cover = _shape(scene.background.shape[:2], (x, y), radius, POWERS[motion.shape])[..., None]
    image = scene.background + cover * (scene.color - scene.background)  # (height, width, 3)
    grain = noise.standard_normal(cover.shape, np.float32)  # (height, width, 1)
    image += np.float32(scene.noise) * grain
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


def _shape(
    size: tuple[int, ...], center: tuple[float, float], radius: float, power: float
) -> NDArray[np.float32]:
    """How much of each pixel a superellipse covers, `(height, width)`."""
    height, width = size
    x = np.abs((np.arange(width) + 0.5 - width / 2) / height - center[0])
    y = np.abs((np.arange(height) + 0.5 - height / 2) / height - center[1])
    distance = (x[None, :] ** power + y[:, None] ** power) ** (1 / power)  # (height, width)
    return np.clip((radius - distance) * height + 0.5, 0, 1).astype(np.float32)


def _encode(frames: Iterator[NDArray[np.uint8]], path: Path, recipe: Recipe) -> None:
    """Write an MP4, H.264 where the encoder is at hand, else MPEG-4; every frame by itself."""
    codec, options = ("libx264", {"qp": "28", "preset": "ultrafast"})
    if codec not in av.codecs_available:
        codec, options = "mpeg4", {"qscale": "4"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=recipe.fps, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = recipe.width, recipe.height, "yuv420p"
        stream.codec_context.gop_size = 1
        stream.codec_context.thread_count = 1
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
