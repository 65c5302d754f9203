"""What the commands for schedules print."""

from collections.abc import Iterable

from rich.table import Table

from pipelines.cluster.recurring.apply import ScheduleChange
from pipelines.cluster.recurring.diff import RecurringRun
from pipelines.cluster.tables import table


def changes_table(changes: Iterable[ScheduleChange]) -> Table:
    """What `schedule apply` did."""
    rows = ((one.name, one.verb, one.why) for one in changes)
    return table(("schedule", "action", "why"), rows, folded="why")


def schedules_table(schedules: Iterable[RecurringRun], pipeline: str) -> Table:
    """What `schedule list` found."""
    rows = ((s.name, s.cron, _state(s.enabled), _kept_by(s, pipeline), s.id) for s in schedules)
    return table(("schedule", "cron", "state", "kept by", "id"), rows)


def _state(enabled: bool | None) -> str:
    return {True: "enabled", False: "disabled", None: "not known"}[enabled]


def _kept_by(schedule: RecurringRun, pipeline: str) -> str:
    if not schedule.pipeline:
        return "others"
    return "this cluster file" if schedule.pipeline == pipeline else f"reelflow, {schedule.pipeline}"
