"""What to do so that the server's recurring runs agree with what is declared; asks no server.

Recurring runs cannot be changed, so a changed one is replaced: the new one is created before the old
one is deleted, and a failure in between leaves two rather than none, which the next plan cleans up.
Ours bear a mark in their description, with a digest of everything they were created from. Others, even
of the same name, are never touched.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

MARK = re.compile(r"\[reelflow schedule of (?P<pipeline>.+), (?P<digest>[0-9a-f]{16})\]")


@dataclass(frozen=True)
class Recurring:
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
class Action:
    """One line of the plan.

    Attributes:
        id: of the recurring run that stays; "" for one to create.
        body: what to create.
        delete: ids that go, after everything else.
    """

    name: str
    verb: Literal["create", "replace", "enable", "disable", "clean up", "remove", "keep"]
    why: str
    id: str = ""
    body: Any = None
    delete: tuple[str, ...] = ()


def plan(pipeline: str, bodies: list[tuple[Any, bool]], existing: list[Recurring]) -> list[Action]:
    """What to do so that the server holds exactly these bodies."""
    ours = [run for run in existing if run.pipeline == pipeline]
    actions: list[Action] = []
    for body, enabled in bodies:
        actions += _plan_one(body, enabled, [run for run in ours if run.name == body.display_name])
    names = {body.display_name for body, _ in bodies}
    actions += [
        Action(run.name, "remove", "no longer declared", delete=(run.id,))
        for run in ours
        if run.name not in names
    ]
    return actions


def mark(pipeline: str, digest: str) -> str:
    """What a description of ours holds."""
    return f"[reelflow schedule of {pipeline}, {digest}]"


def mark_of(description: str | None) -> tuple[str, str]:
    """Whose schedule it is, and the digest of what it was created from; both "" for others'."""
    found = MARK.search(description or "")
    return (found["pipeline"], found["digest"]) if found else ("", "")


def _plan_one(body: Any, enabled: bool, ours: list[Recurring]) -> list[Action]:
    digest = mark_of(body.description)[1]
    same = sorted((run for run in ours if run.digest == digest), key=lambda run: run.enabled is not enabled)
    if not same:
        return [_create_or_replace(body, ours)]
    keep, *rest = [same[0], *(run for run in ours if run is not same[0])]
    actions = []
    if keep.enabled is not enabled:
        actions.append(Action(body.display_name, "enable" if enabled else "disable", "declared so", keep.id))
    if rest:
        ids = tuple(run.id for run in rest)
        actions.append(Action(body.display_name, "clean up", f"{len(ids)} left over", keep.id, delete=ids))
    return actions or [Action(body.display_name, "keep", "unchanged", keep.id)]


def _create_or_replace(body: Any, ours: list[Recurring]) -> Action:
    if not ours:
        return Action(body.display_name, "create", "new", body=body)
    cron = body.trigger.cron_schedule.cron
    changed = f"cron was {ours[0].cron}" if ours[0].cron != cron else "params, code or images changed"
    ids = tuple(run.id for run in ours)
    return Action(body.display_name, "replace", changed, body=body, delete=ids)
