"""Generated clips: a shape rests, makes one short motion at a random moment, and rests again.

The classes of a motion show the same poses in different orders. The motion begins in any frame with
the same probability, so a frame shows each of the poses equally often, whatever the class: few frames,
further apart than the motion is long, do not tell the classes apart. Every frame is coded by itself,
so that the size of the file does not tell the order either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import av
import numpy as np
import pydantic
from av.video.stream import VideoStream
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from pydantic import Field, model_validator

from components.dataset.source import FoundClip
from reelflow.errors import ClipError, ParamsError
from reelflow.files import atomic
from reelflow.params import Section, explain
from reelflow.progress import track
from reelflow.workers.processes import in_processes
from reelflow.yaml_file import read_yaml

CLIP_TIMEOUT_S = 120
POWERS = {"diamond": 1.0, "disc": 2.0, "square": 16.0}  # of the superellipse
REACH = 0.22  # of a pose of 1: a shift, of the height of the frame
GROWTH = 0.5  # of a pose of 1: a change of size, of the radius at rest
MOST = {"frames": 9999, "noise": 255}
PART = 6  # a motion, with one frame of rest, is at most one part in so many of a clip

Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
Label = Annotated[str, Field(pattern=r"^\w+$")]
Pose = Annotated[float, Field(ge=-1, le=1)]


class Motion(Section):
    """A motion of a shape. Its classes show the same poses in different orders."""

    shape: Literal["diamond", "disc", "square"]
    changes: Literal["height", "side", "size"]
    classes: dict[Label, tuple[Pose, ...]] = Field(min_length=2)

    @model_validator(mode="after")
    def _differs_in_order_alone(self) -> Self:
        orders = self.classes.values()
        if len(set(orders)) < len(orders) or len({tuple(sorted(order)) for order in orders}) > 1:
            raise ValueError(
                f"classes: {', '.join(self.classes)} must have the same poses in different orders"
            )
        return self


class Recipe(Section):
    """What to draw; the values stand in a YAML file."""

    seed: int = Field(ge=0)
    groups: int = Field(ge=3, le=1000)
    clips_per_group: int = Field(ge=1, le=1000)
    width: int = Field(ge=32, le=1920, multiple_of=2)
    height: int = Field(ge=32, le=1080, multiple_of=2)
    fps: int = Field(ge=1, le=120)
    frames: Range
    noise: Range
    motions: tuple[Motion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ranges_rise_and_motions_are_short(self) -> Self:
        for name, (low, high) in {"frames": self.frames, "noise": self.noise}.items():
            if not low <= high <= MOST[name]:
                raise ValueError(f"{name}: {[low, high]} must rise, to at most {MOST[name]}")
        least = PART * (1 + max(len(poses) for poses in self.classes.values()))
        if self.frames[0] < least:
            raise ValueError(f"frames: {list(self.frames)} must begin at {least} or above for these motions")
        if len(self.classes) < sum(len(motion.classes) for motion in self.motions):
            raise ValueError("motions: every class must have a name of its own")
        return self

    @property
    def classes(self) -> dict[str, tuple[float, ...]]:
        """Poses of every class."""
        return {label: poses for motion in self.motions for label, poses in motion.classes.items()}


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


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ParamsError: it is missing, no YAML, or holds a wrong name or value.
    """
    try:
        return Recipe.model_validate(read_yaml(path))
    except OSError as error:
        raise ParamsError(f"{path}: {error.strerror}; name an existing recipe or a folder") from error
    except pydantic.ValidationError as error:
        raise ParamsError(explain(error, f"{path} is no recipe of clips")) from error
    except ValueError as error:
        raise ParamsError(f"{path} is no recipe of clips: {error}") from error


def _clips(recipe: Recipe) -> Iterator[tuple[FoundClip, tuple[int, int]]]:
    """Every clip, with the numbers of its group and of itself within it."""
    for group in range(recipe.groups):
        for number in range(recipe.clips_per_group):
            for label in recipe.classes:
                path = f"{label}/g{group:02d}_c{number:02d}.mp4"
                yield FoundClip(path, label, f"g{group:02d}"), (group, number)


def draw_clip(task: Task) -> None:
    """Draw one clip and encode it.

    Raises:
        StorageError: the disk is full or read-only.
    """
    recipe = task.recipe
    place = next(i for i, motion in enumerate(recipe.motions) if task.label in motion.classes)
    motion, scene = recipe.motions[place], _scene(task, place)
    poses = spread_poses(scene.frames, scene.start, motion.classes[task.label])
    noise = default_rng((recipe.seed, task.group, task.number, list(recipe.classes).index(task.label)))
    frames = (_frame(scene, motion, pose, noise) for pose in poses)
    with atomic(task.path) as partial:
        _encode(frames, partial, recipe)


def spread_poses(frames: int, start: int, poses: Sequence[float]) -> NDArray[np.float64]:
    """The pose in each of a clip's frames, `(frames,)`: a motion that begins at `start`, and rest."""
    spread = np.zeros(frames)
    spread[start : start + len(poses)] = poses
    return spread


def starts(frames: int, poses: Sequence[float]) -> range:
    """Where a motion may begin, so that the first and the last frame show the shape at rest."""
    return range(1, frames - len(poses))


def _scene(task: Task, place: int) -> Scene:
    """The scene of a motion: some of it by group, some by clip."""
    recipe = task.recipe
    by_group = default_rng((recipe.seed, task.group))
    by_clip = default_rng((recipe.seed, task.group, task.number, place))
    frames = int(by_clip.integers(recipe.frames[0], recipe.frames[1] + 1))
    return Scene(
        frames=frames,
        start=int(by_clip.choice(starts(frames, next(iter(recipe.motions[place].classes.values()))))),
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
            y -= REACH * pose
        case "side":
            x += REACH * pose
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
    codec, options = ("libx264", {"crf": "23", "preset": "ultrafast"})
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
