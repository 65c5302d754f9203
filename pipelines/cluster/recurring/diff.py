"""The changes that make the server's recurring runs agree with the declared ones; sends no request.

The server cannot change a recurring run, so a changed one is replaced: the new one is created before the
old one is deleted, and a failure in between leaves two, which the next diff cleans up. Ours have a mark in
their description, with a digest of everything they were created from. Others are never touched, even if
they have the same name.
"""

import re
from dataclasses import dataclass
from typing import Literal

import kfp_server_api as kfp

MARK = re.compile(r"\[reelflow schedule of (?P<pipeline>.+), (?P<digest>[0-9a-f]{16})\]")


@dataclass(frozen=True)
class RecurringRun:
    """A recurring run on the server.

    Attributes:
        enabled: None where the server does not say.
        pipeline: whose schedule it is; "" for one that is not ours.
        digest: of what it was created from.
    """

    id: str
    name: str
    cron: str
    enabled: bool | None
    created: str
    pipeline: str
    digest: str


@dataclass(frozen=True)
class ScheduleChange:
    """What is done about one schedule.

    Attributes:
        id: of the recurring run that stays; "" for one to create.
        body: what to create.
        delete: ids to delete, after everything else.
    """

    name: str
    verb: Literal["create", "replace", "enable", "disable", "clean up", "remove", "keep"]
    why: str
    id: str = ""
    body: kfp.V2beta1RecurringRun | None = None
    delete: tuple[str, ...] = ()


def diff(
    pipeline: str, bodies: list[kfp.V2beta1RecurringRun], existing: list[RecurringRun]
) -> list[ScheduleChange]:
    """The changes after which the server holds exactly these bodies."""
    ours = [run for run in existing if run.pipeline == pipeline]
    changes: list[ScheduleChange] = []
    for body in bodies:
        changes += _diff_one(body, [run for run in ours if run.name == body.display_name])
    names = {body.display_name for body in bodies}
    changes += [
        ScheduleChange(run.name, "remove", "no longer declared", delete=(run.id,))
        for run in ours
        if run.name not in names
    ]
    return changes


def mark(pipeline: str, digest: str) -> str:
    """What a description of ours holds."""
    return f"[reelflow schedule of {pipeline}, {digest}]"


def mark_of(description: str | None) -> tuple[str, str]:
    """Whose schedule it is, and the digest of what it was created from; both "" for others'."""
    found = MARK.search(description or "")
    return (found["pipeline"], found["digest"]) if found else ("", "")


def _diff_one(body: kfp.V2beta1RecurringRun, ours: list[RecurringRun]) -> list[ScheduleChange]:
    name, enabled = body.display_name, body.mode == kfp.RecurringRunMode.ENABLE
    digest = mark_of(body.description)[1]
    same = sorted((run for run in ours if run.digest == digest), key=lambda run: run.enabled is not enabled)
    if not same:
        return [_create_or_replace(body, ours)]
    keep, *rest = [same[0], *(run for run in ours if run is not same[0])]
    changes = []
    if keep.enabled is not enabled:
        changes.append(ScheduleChange(name, "enable" if enabled else "disable", "declared so", keep.id))
    if rest:
        ids = tuple(run.id for run in rest)
        changes.append(ScheduleChange(name, "clean up", f"{len(ids)} left over", keep.id, delete=ids))
    return changes or [ScheduleChange(name, "keep", "unchanged", keep.id)]


def _create_or_replace(body: kfp.V2beta1RecurringRun, ours: list[RecurringRun]) -> ScheduleChange:
    if not ours:
        return ScheduleChange(body.display_name, "create", "new", body=body)
    cron = body.trigger.cron_schedule.cron
    changed = f"cron was {ours[0].cron}" if ours[0].cron != cron else "params, code or images changed"
    ids = tuple(run.id for run in ours)
    return ScheduleChange(body.display_name, "replace", changed, body=body, delete=ids)
