"""Stops a rollout if too many devices fail, according to their reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.channel.keys import KeyRing
from pipelines.channel.publish import Verb, change_rollout, read_rollout
from pipelines.channel.repository import ChannelRepository
from pipelines.fleet.standing import RolloutStanding, judge
from pipelines.fleet.store import HeardReport
from reelflow.edge.update.channel.documents import Rollout
from reelflow.errors import ParamsError


@dataclass(frozen=True)
class JudgedRollout:
    """How a rollout goes; `stopped` by this call."""

    rollout: Rollout
    standing: RolloutStanding
    stopped: bool


def stop_if_bad(
    repository: ChannelRepository,
    keys: KeyRing,
    reports: Iterable[HeardReport],
    now: datetime,
    *,
    silent_after: timedelta,
    most_bad_percent: float,
    least_devices: int,
) -> JudgedRollout:
    """Abort a rollout, or pause it where there is no bundle to go back to, if too many devices fail.

    Args:
        repository: of the channel.
        keys: of the roles targets, snapshot and timestamp; used for a stop alone.
        reports: the last one of every device.
        now: in UTC.
        silent_after: since a device's last report.
        most_bad_percent: of the devices that are to run the bundle, those that may fail or be silent.
        least_devices: fewer that failed or are silent stop nothing.

    Raises:
        ParamsError: nothing has been published.
        ChannelError: the channel is not as its root says, or keys are missing for a stop.
        StorageError: the store refuses.
    """
    rollout = read_rollout(repository, repository.read())
    if rollout is None:
        raise ParamsError("nothing has been published to this channel yet: run channel publish")
    standing = judge(reports, rollout, now, silent_after)
    is_bad = standing.bad >= least_devices and standing.bad_percent > most_bad_percent
    if not is_bad or rollout.state in ("aborted", "done", "paused"):
        return JudgedRollout(rollout, standing, stopped=False)
    verb: Verb = "pause" if rollout.previous is None else "abort"
    why = f": {standing.reasons[0]}" if standing.reasons else ""
    reason = f"{standing.bad} of {standing.chosen} devices fail or are silent{why}"[:1000]
    return JudgedRollout(change_rollout(repository, keys, verb, reason=reason), standing, stopped=True)
