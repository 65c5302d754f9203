"""Generated clips: six classes in three pairs that show the same frames in opposite order.

A shape grows or shrinks, turns from red to blue or back, from circle to square or back. Both clips
of a pair are drawn from the same scene with other noise; an odd number of frames puts the same
frame in the middle of both. Every frame is coded by itself, so that the file's size does not tell
which way time runs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

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

PAIRS = (("growing", "shrinking"), ("red_to_blue", "blue_to_red"), ("circle_to_square", "square_to_circle"))
CLIP_TIMEOUT_S = 120
Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


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

    @model_validator(mode="after")
    def _ranges_hold_something(self) -> Self:
        shortest, longest = self.half_lengths
        if not 1 <= shortest <= longest <= 5000:
            raise ValueError(f"frames: {list(self.frames)} must rise and hold an odd number, 3 to 9999")
        if self.noise[0] > self.noise[1]:
            raise ValueError(f"noise: {list(self.noise)} must rise")
        return self

    @property
    def half_lengths(self) -> tuple[int, int]:
        """Frames before the middle one, of the shortest and the longest clip."""
        return self.frames[0] // 2, (self.frames[1] - 1) // 2


@dataclass(frozen=True)
class Scene:
    """All that the two clips of a pair share. Lengths are fractions of the frame's height."""

    frames: int
    center: tuple[float, float]
    radius: float
    start: float
    colors: NDArray[np.float32]
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
            for label in (label for pair in PAIRS for label in pair):
                path = f"{label}/g{group:02d}_c{number:02d}.mp4"
                yield FoundClip(path, label, f"g{group:02d}"), (group, number)


def draw_clip(task: Task) -> None:
    """Draw one clip and encode it.

    Raises:
        StorageError: the disk is full or read-only.
    """
    (pair, backwards) = next(
        (i, pair.index(task.label)) for i, pair in enumerate(PAIRS) if task.label in pair
    )
    scene = _scene(task, pair)
    noise = default_rng((task.recipe.seed, task.group, task.number, pair, backwards))
    order = range(scene.frames)[::-1] if backwards else range(scene.frames)
    frames = (_frame(scene, pair, time / (scene.frames - 1), noise) for time in order)
    with atomic(task.path) as partial:
        _encode(frames, partial, task.recipe)


def _scene(task: Task, pair: int) -> Scene:
    """The scene of a pair: some of it by group, some by clip."""
    recipe = task.recipe
    by_group = default_rng((recipe.seed, task.group))
    by_clip = default_rng((recipe.seed, task.group, task.number, pair))
    red = by_group.uniform((215, 60, 30), (255, 100, 80))
    blue = by_group.uniform((0, 0, 110), (40, 40, 170))
    green = by_group.uniform((40, 80, 20), (90, 130, 70))
    purple = by_group.uniform((90, 20, 90), (140, 60, 140))
    colors = ((green, green), (red, blue), (purple, purple))[pair]
    shortest, longest = recipe.half_lengths
    return Scene(
        frames=2 * int(by_clip.integers(shortest, longest + 1)) + 1,
        center=(by_clip.uniform(-0.06, 0.06), by_clip.uniform(-0.04, 0.04)),
        radius=by_group.uniform(0.34, 0.40),
        start=by_group.uniform(0.0, 0.2),
        colors=np.array(colors, np.float32),
        background=_background(recipe, by_group),
        noise=by_group.uniform(*recipe.noise),
    )


def _background(recipe: Recipe, random: Generator) -> NDArray[np.float32]:
    """A light wash of one colour with slow waves: `(height, width, 3) float32`."""
    x, y = np.meshgrid(np.arange(recipe.width), np.arange(recipe.height))
    direction = random.uniform(-0.08, 0.08, 2)
    waves = np.sin(direction[0] * x + direction[1] * y + random.uniform(0, 6))  # (height, width)
    wash = random.uniform(170, 215, 3) + random.uniform(4, 14) * waves[..., None]  # (height, width, 3)
    return np.asarray(wash, np.float32)


def _frame(scene: Scene, pair: int, time: float, noise: Generator) -> NDArray[np.uint8]:
    """The scene at a time in 0..1, forwards: `(height, width, 3) uint8`."""
    progress = float(np.clip((time - scene.start) / (1 - 2 * scene.start), 0, 1))
    radius = scene.radius * (0.3 + 0.9 * progress if pair == 0 else 1.0)
    power = 2 * 8 ** (progress if pair == 2 else 0.0)
    first, last = scene.colors
    color = first + progress * (last - first)
    cover = _shape(scene.background.shape[:2], scene.center, radius, power)[..., None]  # (height, width, 1)
    image = scene.background + cover * (color - scene.background)
    grain = noise.standard_normal(cover.shape, np.float32)  # (height, width, 1)
    image += np.float32(scene.noise) * grain
    pixels: NDArray[np.uint8] = np.clip(image, 0, 255).astype(np.uint8)
    return pixels


def _shape(
    size: tuple[int, ...], center: tuple[float, float], radius: float, power: float
) -> NDArray[np.float32]:
    """How much of each pixel a superellipse covers, `(height, width)`: circle at power 2, then square."""
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
