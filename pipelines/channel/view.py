"""How a channel is shown to people."""

from rich.console import Console
from rich.table import Table

from pipelines.channel.prune import PrunePlan
from pipelines.channel.status import ChannelStatus, RoleStatus
from pipelines.fleet.standing import RolloutStanding
from reelflow.commandline import printable
from reelflow.edge.update.channel.documents import Rollout

SHORT = 12


def print_channel(status: ChannelStatus, console: Console) -> None:
    """Print roles, bundles and the rollout."""
    table = Table("role", "version", "expires", "keys", "")
    for role in status.roles:
        keys = f"{role.threshold} of {', '.join(key[:SHORT] for key in role.keys)}"
        table.add_row(role.role, str(role.version), f"{role.expires:%Y-%m-%d %H:%M} UTC", keys, _remark(role))
    console.print(table)
    for bundle in status.bundles:
        version = f"version {bundle.version}" if bundle.version else "from a folder"
        size = f"{len(bundle.files)} files, {bundle.size_bytes / 1e6:.2f} MB"
        console.print(f"{bundle.id[:SHORT]}  {printable(bundle.model_name)}, {version}, {size}", markup=False)
    console.print(told_rollout(status.rollout), markup=False)
    if status.pruning:
        console.print(_told_pruning(status.pruning), markup=False)


def print_prune(plan: PrunePlan, console: Console) -> None:
    """Print what stays, and what would be removed."""
    if plan.pruning:
        console.print(_told_pruning(plan.pruning), markup=False)
    kept = ", ".join(bundle[:SHORT] for bundle in plan.kept) or "none"
    console.print(f"bundles that stay: {kept}", markup=False)
    files = f"{len(plan.removed)} files of other bundles, {plan.size_bytes / 1e6:.2f} MB"
    console.print(f"to be removed: {files}", markup=False)


def told_rollout(rollout: Rollout | None) -> str:
    """A rollout in one line."""
    if rollout is None:
        return "nothing has been published"
    groups = f", groups {', '.join(rollout.groups)}" if rollout.groups else ""
    before = f", else {rollout.previous[:SHORT]}" if rollout.previous else ""
    reason = f": {rollout.reason}" if rollout.reason else ""
    return printable(
        f"rollout {rollout.number} is {rollout.state}{reason}: {rollout.bundle[:SHORT]} for "
        f"{rollout.percent:g} % of the devices{groups}{before}"
    )


def _told_pruning(since: str) -> str:
    return (
        f"files are being removed since {printable(since)}: "
        "nothing can be published until channel prune has ended"
    )


def _remark(role: RoleStatus) -> str:
    if role.is_expired:
        return "expired: devices refuse it"
    return "sign it again soon" if role.is_due else ""


def told_standing(standing: RolloutStanding) -> str:
    """How the devices of a rollout do, in one line."""
    told = ", ".join(f"{count} {name}" for name, count in standing.counts.items()) or "no device has told yet"
    return f"{standing.chosen} devices: {told}" if standing.chosen else told
