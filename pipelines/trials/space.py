"""Typed sweep.yaml: the search space, checked against params.yaml before anything runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from pipelines.values import read_values
from reelflow.errors import ParamsError
from reelflow.nets.heads import check_heads
from reelflow.params import Names, Params, Section, Seed, TrainingParams, explain
from reelflow.splitting.protocols import Protocol
from reelflow.video.views import check_views

NO_CHOICE = frozenset({"heads", "seed", "teacher", "checkpoint_every_s", "workers"})
"""Fields of the training section that are never searched; a selected seed is meaningless."""


class Range(Section):
    """A range of numbers; integers if the field is an integer."""

    low: int | float
    high: int | float
    log: bool = Field(default=False, description="small values are as likely as large ones, by magnitude")

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.low >= self.high:
            raise ValueError("low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 where log is true")
        return self


Values = Annotated[tuple[Any, ...], Field(min_length=1)]
Dimension = Annotated[
    Annotated[Range, Tag("range")] | Annotated[Values, Tag("list")],
    Discriminator(lambda found: "range" if isinstance(found, Mapping | Range) else "list"),
]


class Family(Section):
    """Heads that share a search space."""

    heads: Names
    views: tuple[Names, ...] = Field(min_length=1, description="lists as features.views, to choose from")
    training: dict[str, Dimension] = Field(default={}, description="by field of the training section")


class Space(Section):
    """sweep.yaml."""

    trials: int = Field(ge=1, le=1000, description="of each study")
    startup: int = Field(ge=1, le=1000, description="first trials of a study: random, none pruned")
    inner: str = Field(description="the protocol inside an outer fold's own clips: group_kfold(K), ...")
    seed: Seed
    families: dict[str, Family] = Field(min_length=1)

    @field_validator("inner")
    @classmethod
    def _is_a_cross_validation(cls, text: str) -> str:
        if (found := Protocol.parse(text)).kind == "holdout":
            raise ValueError("expected group_kfold(K), leave_one_group_out or cross_set(PREFIX)")
        return str(found)

    def view_lists(self) -> tuple[tuple[str, ...], ...]:
        """Every distinct list of views of the families."""
        return tuple(dict.fromkeys(views for family in self.families.values() for views in family.views))


def load_space(path: Path, params: Params, trials: int | None = None) -> Space:
    """Read a space; each of its values must be allowed in `params`.

    Args:
        path: of the file.
        params: the fixed values.
        trials: per study, overrides the file.

    Raises:
        ParamsError: the file is missing, is not valid YAML, or has a wrong name or value.
    """
    space = read_values(path, Space)
    checked = {name: _checked(f"{path}: {name}", family, params) for name, family in space.families.items()}
    return space.model_copy(update={"families": checked, "trials": trials or space.trials})


def _checked(where: str, family: Family, params: Params) -> Family:
    """The family with its values as the training section holds them.

    Raises:
        ParamsError: a head, view, field or value is not allowed.
    """
    try:
        check_heads(family.heads)
        for views in family.views:
            check_views(views, params.frames.oversample)
    except ParamsError as error:
        raise ParamsError(f"{where}: {error}") from error
    held = {field: _held(where, field, found, params) for field, found in family.training.items()}
    return family.model_copy(update={"training": held})


def _held(where: str, field: str, found: Range | tuple[Any, ...], params: Params) -> Range | tuple[Any, ...]:
    choices = sorted(set(TrainingParams.model_fields) - NO_CHOICE)
    if field not in choices:
        raise ParamsError(
            f"{where}: {field} cannot be searched; expected a field of the training section: "
            + ", ".join(choices)
        )
    if not isinstance(found, Range):
        return tuple(_value(where, field, value, params) for value in found)
    low, high = (_value(where, field, value, params) for value in (found.low, found.high))
    if isinstance(low, bool) or not isinstance(low, int | float):
        raise ParamsError(f"{where}: {field} is not a number: list its values instead of low and high")
    return Range(low=low, high=high, log=found.log)


def _value(where: str, field: str, value: Any, params: Params) -> Any:
    """The value as in the training section."""
    try:
        section = TrainingParams.model_validate(params.training.model_dump(mode="json") | {field: value})
    except pydantic.ValidationError as error:
        raise ParamsError(explain(error, where)) from error
    return getattr(section, field)
