"""infra/schedules.yaml, typed."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, field_validator

from pipelines.cluster.config import ConfigSection
from pipelines.cluster.recurring.cron import checked_cron
from pipelines.cluster.run_options import RunOptions
from pipelines.values import read_values


class Schedule(RunOptions):
    """A recurring run of the pipeline."""

    name: str = Field(min_length=1, max_length=120)
    cron: str = Field(description="six fields, seconds first, in the time zone of the server")
    enabled: bool = True

    @field_validator("cron")
    @classmethod
    def _checked_cron(cls, cron: str) -> str:
        return checked_cron(cron)


class Schedules(ConfigSection):
    """All of infra/schedules.yaml."""

    schedules: tuple[Schedule, ...]

    @field_validator("schedules")
    @classmethod
    def _names_differ(cls, schedules: tuple[Schedule, ...]) -> tuple[Schedule, ...]:
        names = [schedule.name for schedule in schedules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"more than one is called {', '.join(twice)}; give each its own name")
        return schedules


@dataclass(frozen=True)
class DeclaredSchedule:
    """A schedule and its compiled pipeline."""

    name: str
    cron: str
    enabled: bool
    package: str


def load_schedules(path: Path) -> Schedules:
    """Read a file of schedules.

    Raises:
        ParamsError: it cannot be read, or a value cannot be used.
    """
    return read_values(path, Schedules)
