"""The changes that make the server's recurring runs agree with the declared ones; sends no request.

A recurring run names its schedule's pipeline and no version, so it starts the newest version each time: new
params, code or images are a new version and touch nothing else. What the recurring run itself holds (cron,
experiment, service account) the server cannot change, so then a new one is made beside it and the old one
retires: it is disabled, and deleted once nothing of it is at work, because its workflows are deleted with it.

Ours have a mark in their description, with a digest of everything they were created from. Others are never
touched, even if they have the same name.
"""

import re
from dataclasses import dataclass

import kfp_server_api as kfp

MARK = re.compile(r"\[reelflow schedule of (?P<pipeline>.+), (?P<digest>[0-9a-f]{16})\]")
UNDECLARED = "no longer declared"


@dataclass(frozen=True)
class RecurringRun:
    """A recurring run on the server.

    Attributes:
        enabled: None where the server does not say.
        pinned: whether it names a version, as those of older reelflows do.
        pipeline: whose schedule it is; "" for one that is not ours.
        digest: of what it was created from.
    """

    id: str
    name: str
    cron: str
    enabled: bool | None
    created: str
    pinned: bool
    pipeline: str
    digest: str


@dataclass(frozen=True)
class WantedSchedule:
    """What the server is to hold for one declared schedule.

    Attributes:
        body: the recurring run.
        package: the pipeline, compiled.
        newest: whether this package is the newest version already.
    """

    body: kfp.V2beta1RecurringRun
    package: str
    newest: bool

    @property
    def enabled(self) -> bool:
        """Whether it is declared enabled."""
        return bool(self.body.mode == kfp.RecurringRunMode.ENABLE)


@dataclass(frozen=True)
class SchedulePlan:
    """The changes for one schedule.

    Attributes:
        wanted: None for one that is no longer declared.
        keep: the recurring run that agrees; None if one has to be created.
        retire: ours of this name that do not agree, or are one too many.
    """

    name: str
    wanted: WantedSchedule | None
    keep: RecurringRun | None
    retire: tuple[RecurringRun, ...]

    @property
    def why(self) -> str:
        """Why the ones that retire do so."""
        if self.wanted is None:
            return UNDECLARED
        if self.keep is not None or not self.retire:
            return f"{len(self.retire)} left over"
        old, cron = self.retire[0], self.wanted.body.trigger.cron_schedule.cron
        if old.cron != cron:
            return f"cron was {old.cron}"
        if old.pinned:
            return "it names a version: an older reelflow created it"
        return "experiment, service account or another option changed"


def diff(pipeline: str, wanted: list[WantedSchedule], existing: list[RecurringRun]) -> list[SchedulePlan]:
    """The plans after which the server holds exactly what is wanted."""
    ours = [run for run in existing if run.pipeline == pipeline]
    plans = [_plan(one, [run for run in ours if run.name == one.body.display_name]) for one in wanted]
    names = {one.body.display_name for one in wanted}
    undeclared = [run for run in ours if run.name not in names]
    return plans + [SchedulePlan(run.name, None, None, (run,)) for run in undeclared]


def mark(pipeline: str, digest: str) -> str:
    """What a description of ours holds."""
    return f"[reelflow schedule of {pipeline}, {digest}]"


def mark_of(description: str | None) -> tuple[str, str]:
    """Whose schedule it is, and the digest of what it was created from; both "" for others'."""
    found = MARK.search(description or "")
    return (found["pipeline"], found["digest"]) if found else ("", "")


def _plan(wanted: WantedSchedule, ours: list[RecurringRun]) -> SchedulePlan:
    digest = mark_of(wanted.body.description)[1]
    same = sorted(
        (run for run in ours if run.digest == digest), key=lambda run: run.enabled is not wanted.enabled
    )
    keep = same[0] if same else None
    rest = tuple(run for run in ours if run is not keep)
    return SchedulePlan(wanted.body.display_name, wanted, keep, rest)
