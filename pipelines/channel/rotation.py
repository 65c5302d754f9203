"""New keys and new signatures: a device that was offline for a year still follows, root by root.

A role's metadata is signed by the old keys and the new one before the root names the new one, so that devices
find valid metadata in every moment. Without the old keys (lost, or stolen) the root comes first; devices
refuse until the role is signed again, which the same call does next.
"""

from collections.abc import Mapping
from copy import deepcopy
from datetime import timedelta

from securesystemslib.signer import Signer
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp

from pipelines.channel.keys import KeyRing
from pipelines.channel.metadata import (
    PERIODS,
    ChannelState,
    check_roles,
    check_signed,
    periods,
    sign,
    utc_seconds,
)
from pipelines.channel.repository import ChannelRepository
from reelflow.errors import ParamsError

RESIGNED: Mapping[str, tuple[str, ...]] = {
    Root.type: (),
    Targets.type: (Targets.type,),
    Snapshot.type: (Snapshot.type,),
    Timestamp.type: (),
}


def rotate_key(
    repository: ChannelRepository,
    keys: KeyRing,
    role: str,
    new: Signer,
    *,
    replaced: str = "",
    days: Mapping[str, int] | None = None,
) -> Metadata[Root]:
    """Replace a key of a role; a call that was cut is finished by the same call.

    Args:
        repository: of the channel.
        keys: of the root; and of the role and the roles that describe it.
        role: whose key is replaced.
        new: the new key.
        replaced: how the id of the old key begins; may be empty if the role has one key.
        days: new periods until metadata expires, by role.

    Returns:
        The new root.

    Raises:
        ParamsError: the old key is not told apart.
        ChannelError: keys are missing, or the channel is not as its root says.
        StorageError: the store refuses.
    """
    old = repository.root()
    with_new = KeyRing({**keys.signers, role: (*keys.of(role), new)})
    if new.public_key.keyid in old.signed.roles[role].keyids:
        _sign_again(repository, with_new, role, before=repository.root_before(old))
        return old
    root = _next_root(old, role, new, replaced, days)
    sign(root, root.signed, with_new.of(Root.type))
    check_signed(root, old.signed)
    is_smooth = role == Root.type or _suffices(old.signed, role, keys)
    if is_smooth and role != Root.type:
        _sign_again(repository, with_new, role, before=None)
    repository.put_root(root)
    if not is_smooth:
        _sign_again(repository, with_new, role, before=old)
    return root


def refresh(repository: ChannelRepository, keys: KeyRing) -> tuple[ChannelState, tuple[str, ...]]:
    """Sign the timestamp again, and each other role in the second half of its period.

    Args:
        repository: of the channel.
        keys: of the timestamp; others are used where they are due.

    Returns:
        The new state, and the roles that are due but whose keys are not here.

    Raises:
        ChannelError: keys are missing, or the channel is not as its root says.
        StorageError: the store refuses.
    """
    state = repository.read()
    due = [role for role in RESIGNED if role != Timestamp.type and is_due(state, role)]
    able = [role for role in due if _suffices(state.root.signed, role, keys)]
    if Root.type in able:
        root = deepcopy(state.root)
        root.signed.version += 1
        sign(root, root.signed, keys.of(Root.type))
        repository.put_root(root)
        state = repository.read()
    if Targets.type in able and not _suffices(state.root.signed, Snapshot.type, keys):
        able.remove(Targets.type)  # the snapshot describes it
    resign = tuple(role for role in able if role != Root.type)
    return repository.commit(state, keys, resign=resign), tuple(role for role in due if role not in able)


def is_due(state: ChannelState, role: str) -> bool:
    """Whether a role is in the second half of its period."""
    left = getattr(state, role).signed.expires - utc_seconds()
    return bool(left < timedelta(days=periods(state.root.signed)[role]) / 2)


def _next_root(
    old: Metadata[Root], role: str, new: Signer, replaced: str, days: Mapping[str, int] | None
) -> Metadata[Root]:
    root = deepcopy(old)
    root.signed.version += 1
    keyids = [keyid for keyid in root.signed.roles[role].keyids if keyid.startswith(replaced)]
    if len(keyids) != 1:
        known = ", ".join(keyid[:12] for keyid in root.signed.roles[role].keyids)
        raise ParamsError(f"{role} has the keys {known}: say which one is replaced (--replace)")
    root.signed.revoke_key(keyids[0], role)
    root.signed.add_key(new.public_key, role)
    root.signed.unrecognized_fields[PERIODS] = {**periods(old.signed), **(days or {})}
    check_roles(root.signed)
    return root


def _sign_again(
    repository: ChannelRepository, keys: KeyRing, role: str, before: Metadata[Root] | None
) -> None:
    if role != Root.type:
        state = repository.read(before=before.signed if before else None)
        repository.commit(state, keys, resign=RESIGNED[role])


def _suffices(root: Root, role: str, keys: KeyRing) -> bool:
    """Whether the keys that are here reach a role's threshold."""
    here = {signer.public_key.keyid for signer in keys.of(role)} & set(root.roles[role].keyids)
    return len(here) >= root.roles[role].threshold
