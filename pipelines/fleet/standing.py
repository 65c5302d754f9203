"""How devices do with the bundle of a rollout, and whether it may go on."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal

from pipelines.fleet.store import HeardReport
from reelflow.documents import Document
from reelflow.edge.update.channel.documents import Rollout, wanted

Standing = Literal["runs it", "on trial", "failed", "silent", "waiting", "other"]


class RolloutStanding(Document):
    """How a rollout goes.

    Attributes:
        counts: devices by standing, of those that are to run its bundle.
        reasons: why devices have left the bundle, the commonest first.
    """

    number: int
    counts: dict[str, int]
    reasons: tuple[str, ...]

    @property
    def chosen(self) -> int:
        """Devices that are to run the bundle."""
        return sum(self.counts.values())

    @property
    def bad(self) -> int:
        """Those that failed, or are silent."""
        return self.counts.get("failed", 0) + self.counts.get("silent", 0)

    @property
    def bad_percent(self) -> float:
        """Their share."""
        return 100 * self.bad / self.chosen if self.chosen else 0.0


def standing_of(heard: HeardReport, rollout: Rollout, now: datetime, silent_after: timedelta) -> Standing:
    """How one device does with the bundle of a rollout.

    Returns:
        `other` for a device that is not to run it; `waiting` for one that has not taken it yet.
    """
    report = heard.report
    if any(one.bundle == rollout.bundle for one in report.refused):
        return "failed"
    if wanted(rollout, report.device, report.group) != rollout.bundle:
        return "other"
    if now - heard.heard_at > silent_after:
        return "silent"
    if report.current == rollout.bundle:
        return "runs it"
    return "on trial" if report.trial == rollout.bundle else "waiting"


def judge(
    reports: Iterable[HeardReport], rollout: Rollout, now: datetime, silent_after: timedelta
) -> RolloutStanding:
    """How a rollout goes.

    Args:
        reports: the last one of every device.
        rollout: as the channel says; one that is paused or aborted is judged by its share.
        now: in UTC.
        silent_after: since a device's last report.
    """
    running = rollout.model_copy(update={"state": "done" if rollout.state == "done" else "running"})
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for heard in reports:
        standing = standing_of(heard, running, now, silent_after)
        if standing != "other":
            counts[standing] += 1
        reasons.update(one.reason for one in heard.report.refused if one.bundle == rollout.bundle)
    return RolloutStanding(
        number=rollout.number,
        counts=dict(sorted(counts.items())),
        reasons=tuple(reason for reason, _ in reasons.most_common()),
    )
