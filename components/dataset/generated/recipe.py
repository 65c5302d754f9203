"""What to draw: a YAML file of motions. Its classes are told apart by the order of poses alone."""

from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic
from pydantic import Field, model_validator

from reelflow.errors import ParamsError
from reelflow.params import Section, explain
from reelflow.yaml_file import read_yaml

LIMITS = {"frames": 9999, "noise": 255}
THUMBNAILS = 3  # of a shortcut baseline: the centres of three equal parts of a clip

Range = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]
Label = Annotated[str, Field(pattern=r"^\w+$")]
Pose = Annotated[float, Field(ge=-1, le=1)]
Poses = tuple[Pose, ...]


class Motion(Section):
    """A motion of a shape. Its classes show the same poses in different orders."""

    shape: Literal["diamond", "disc", "square"]
    changes: Literal["height", "side", "size"]
    classes: dict[Label, Poses] = Field(min_length=2, description="the pose in each frame; 0 is rest")

    @model_validator(mode="after")
    def _classes_differ_in_order_alone(self) -> Self:
        orders = self.classes.values()
        if len(set(orders)) < len(orders) or len({tuple(sorted(order)) for order in orders}) > 1:
            raise ValueError(f"{', '.join(self.classes)} must have the same poses in different orders")
        return self

    @property
    def frames(self) -> int:
        """Its length."""
        return len(next(iter(self.classes.values())))


class Recipe(Section):
    """The clips of a data set: `clips_per_group` of each class in each group."""

    seed: int = Field(ge=0)
    groups: int = Field(ge=3, le=1000)
    clips_per_group: int = Field(ge=1, le=1000)
    width: int = Field(ge=32, le=1920, multiple_of=2)
    height: int = Field(ge=32, le=1080, multiple_of=2)
    fps: int = Field(ge=1, le=120)
    frames: Range = Field(description="of the shortest and the longest clip")
    noise: Range = Field(description="standard deviation of a pixel, of 255")
    motions: tuple[Motion, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name, (low, high) in {"frames": self.frames, "noise": self.noise}.items():
            if not low <= high <= LIMITS[name]:
                raise ValueError(f"{name}: {[low, high]} must rise, to at most {LIMITS[name]}")
        return self

    @model_validator(mode="after")
    def _motions_are_short(self) -> Self:
        """The first and the last thumbnail can show every pose of a motion."""
        longest = max(motion.frames for motion in self.motions)
        shortest = 2 * THUMBNAILS * (longest - 1) + 1
        if self.frames[0] < shortest:
            raise ValueError(
                f"frames: clips of {self.frames[0]} are too short for these motions, take {shortest} or more"
            )
        return self

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"motions: {', '.join(self.labels)} must be different names")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """Every class."""
        return tuple(label for motion in self.motions for label in motion.classes)


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
