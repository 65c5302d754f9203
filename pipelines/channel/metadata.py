"""TUF metadata of a channel: first versions, expiry, signatures."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from securesystemslib.signer import Signer
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

from pipelines.channel.keys import ROLES, KeyRing
from reelflow.edge.update.channel.verified import SIGNED
from reelflow.errors import ChannelError

PERIODS = "x-reelflow-days"
"""Field of the root: days after which each role's metadata expires."""
PRUNING = "x-reelflow-pruning"
"""Field of the timestamp: since when files are being removed, and by which call."""
DAYS: Mapping[str, int] = {"root": 365, "targets": 365, "snapshot": 30, "timestamp": 7}
LONGEST_DAYS = 3650
Role = TypeVar("Role", Root, Targets, Snapshot, Timestamp)


@dataclass(frozen=True)
class ChannelState:
    """The current metadata of a channel, each verified by the root."""

    root: Metadata[Root]
    targets: Metadata[Targets]
    snapshot: Metadata[Snapshot]
    timestamp: Metadata[Timestamp]


def utc_seconds() -> datetime:
    """Now, as metadata says it."""
    return datetime.now(UTC).replace(microsecond=0)


def new_root(keys: KeyRing, thresholds: Mapping[str, int], days: Mapping[str, int]) -> Metadata[Root]:
    """The first root of a channel, signed by its own keys.

    Raises:
        ChannelError: a role has fewer keys than its threshold, or two roles have the same key.
    """
    root = Root(version=1, unrecognized_fields={PERIODS: dict(days)}, consistent_snapshot=True)
    for role in ROLES:
        for signer in keys.of(role):
            root.add_key(signer.public_key, role)
        root.roles[role].threshold = thresholds.get(role, 1)
    check_roles(root)
    made = Metadata(root)
    sign(made, root, keys.of(Root.type))
    return made


def check_roles(root: Root) -> None:
    """Check that each role can be signed, and that no two roles share a key.

    Raises:
        ChannelError: it cannot, or a key serves two roles.
    """
    for role in ROLES:
        found = root.roles[role]
        if not 1 <= found.threshold <= len(found.keyids):
            raise ChannelError(
                f"{role} has {len(found.keyids)} keys and needs {found.threshold} signatures: "
                f"name a key for each (--key {role}=URI), or lower the threshold"
            )
    used = [keyid for role in ROLES for keyid in root.roles[role].keyids]
    if len(set(used)) != len(used):
        raise ChannelError("two roles have the same key: give each a key of its own")


def sign(metadata: Metadata[Role], root: Root, *signers: tuple[Signer, ...]) -> None:
    """Renew expiry and signatures.

    Args:
        metadata: of any role.
        root: the keys of the role, and its period.
        signers: of the role; keys that the root does not know may sign too.

    Raises:
        ChannelError: fewer keys of the role have signed than its threshold, or a key refuses.
    """
    role = metadata.signed.type
    now = utc_seconds()
    metadata.signed.expires = now + timedelta(days=periods(root)[role])
    if isinstance(metadata.signed, Root | Timestamp):
        metadata.signed.unrecognized_fields[SIGNED] = now.isoformat()
    metadata.signatures.clear()
    for signer in (one for some in signers for one in some):
        try:
            metadata.sign(signer, append=True)
        except UnsignedMetadataError as error:
            why = error.__cause__ or error  # PKCS#11 tells some by the class alone, a wrong PIN among them
            told = str(why) or type(why).__name__
            raise ChannelError(
                f"the key {signer.public_key.keyid[:12]} of {role} cannot sign: {told}"
            ) from None
    check_signed(metadata, root)


def check_signed(metadata: Metadata[Role], root: Root) -> None:
    """Check the signatures of a role.

    Raises:
        ChannelError: they do not suffice.
    """
    role = metadata.signed.type
    found = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    if not found:
        raise ChannelError(
            f"{role} is signed by {len(found.signed)} of its keys, and needs {found.threshold}: "
            f"name them (--key {role}=URI)"
        )


def periods(root: Root) -> Mapping[str, int]:
    """Days after which each role's metadata expires."""
    found = root.unrecognized_fields.get(PERIODS, {})
    return {role: int(found.get(role, DAYS[role])) for role in ROLES}


def parsed(content: bytes, kind: type[Role], name: str) -> Metadata[Role]:
    """Metadata of one role, not verified.

    Raises:
        ChannelError: it is none.
    """
    try:
        found = Metadata[kind].from_bytes(content)  # type: ignore[valid-type]
    except RepositoryError as error:
        raise ChannelError(f"{name} is not TUF metadata: {error}") from None
    if not isinstance(found.signed, kind):
        raise ChannelError(f"{name} is metadata of {found.signed.type}, expected {kind.type}")
    return found


def meta_file(metadata: Metadata[Role]) -> MetaFile:
    """How the next role describes this one."""
    return MetaFile.from_data(metadata.signed.version, metadata.to_bytes(), ["sha256"])
