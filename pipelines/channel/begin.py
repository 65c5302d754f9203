"""The first root and the first metadata of a channel."""

from collections.abc import Mapping
from pathlib import Path

from tuf.api.metadata import Metadata, Root

from pipelines.channel.keys import ROLES, KeyRing
from pipelines.channel.metadata import DAYS, new_root, parsed
from pipelines.channel.repository import ChannelRepository
from reelflow.errors import ParamsError
from reelflow.files import write_bytes
from reelflow.objectstore.interface import ObjectStore


def begin(
    store: ObjectStore, pinned: Path, keys: KeyRing, thresholds: Mapping[str, int], days: Mapping[str, int]
) -> None:
    """Begin a channel; a call that was cut is finished by the same call.

    Args:
        store: of the channel.
        pinned: where the first root is written, for publishers and devices.
        keys: of every role.
        thresholds: signatures that a role needs; 1 by default.
        days: until metadata expires, by role; `metadata.DAYS` by default.

    Raises:
        ParamsError: `pinned` is the root of other keys.
        ChannelError: keys are missing; or the store has another channel.
        StorageError: the store or the disk refuses.
    """
    made = new_root(keys, thresholds, {**DAYS, **days})
    if not pinned.exists():
        write_bytes(pinned, made.to_bytes())
    root = parsed(pinned.read_bytes(), Root, str(pinned))
    if _keys_of(root) != _keys_of(made):
        raise ParamsError(
            f"{pinned} is the root of another channel, with other keys: name a new file (--root)"
        )
    repository = ChannelRepository(store, pinned.read_bytes())
    repository.put_root(root)
    if not repository.has_state():
        repository.begin(root, keys)
    repository.read()


def _keys_of(root: Metadata[Root]) -> list[tuple[list[str], int]]:
    return [(sorted(root.signed.roles[role].keyids), root.signed.roles[role].threshold) for role in ROLES]
