"""What a channel is at the moment, for people and programs."""

from datetime import datetime

from tuf.api.metadata import Timestamp

from pipelines.channel.keys import ROLES
from pipelines.channel.metadata import PRUNING, utc_seconds
from pipelines.channel.publish import read_listing, read_rollout
from pipelines.channel.repository import ChannelRepository
from pipelines.channel.rotation import is_due
from reelflow.documents import Document
from reelflow.edge.update.channel.documents import BundleListing, Rollout


class RoleStatus(Document):
    """One role of a channel."""

    role: str
    version: int
    expires: datetime
    is_due: bool
    is_expired: bool
    keys: tuple[str, ...]
    threshold: int


class ChannelStatus(Document):
    """The document of `channel status --json`.

    Attributes:
        pruning: since when files are being removed; empty if none are.
    """

    channel: str
    roles: tuple[RoleStatus, ...]
    rollout: Rollout | None
    bundles: tuple[BundleListing, ...]
    pruning: str = ""

    @property
    def is_expired(self) -> bool:
        """Whether devices refuse the channel."""
        return any(role.is_expired for role in self.roles)


def read_status(repository: ChannelRepository, channel: str) -> ChannelStatus:
    """The status of a channel; nothing is changed.

    Raises:
        ChannelError: the channel is not as its root says.
        StorageError: the store refuses.
    """
    state, now = repository.read(finish=False), utc_seconds()
    root = state.root.signed
    rollout = read_rollout(repository, state)
    named = dict.fromkeys(one for one in (rollout.bundle, rollout.previous) if one) if rollout else ()
    return ChannelStatus(
        channel=channel,
        roles=tuple(
            RoleStatus(
                role=role,
                version=(signed := getattr(state, role).signed).version,
                expires=signed.expires,
                is_due=role != Timestamp.type and is_due(state, role),
                is_expired=signed.is_expired(now),
                keys=tuple(root.roles[role].keyids),
                threshold=root.roles[role].threshold,
            )
            for role in ROLES
        ),
        rollout=rollout,
        bundles=tuple(one for one in (read_listing(repository, state, name) for name in named) if one),
        pruning=str(state.timestamp.signed.unrecognized_fields.get(PRUNING, "")),
    )
