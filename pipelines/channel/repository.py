"""A channel in an object store: what is there, verified, and how it changes in one step.

A change writes new objects beside the old ones, `metadata/N.targets.json` and `metadata/N.snapshot.json`.
`metadata/N.timestamp.json` makes it valid: whoever creates that object first owns version N, as long as the
store keeps the first of two. At last `timestamp.json`, which devices read, becomes equal to it. A crash
before the claim leaves objects that nobody names. After a crash behind it, the next call finishes: it writes
`timestamp.json`. Devices see the old or the new state.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from pipelines.channel.keys import KeyRing
from pipelines.channel.metadata import ChannelState, Role, check_signed, meta_file, parsed, sign
from reelflow.errors import ChannelError, ParamsError
from reelflow.files import content_file, locked
from reelflow.objectstore.interface import ObjectStore
from reelflow.objectstore.open import store_at
from reelflow.settings import Settings

METADATA = "metadata"
OLD_TARGETS = re.compile(rf"{METADATA}/([0-9]{{1,9}})\.targets\.json")
TIMESTAMP = f"{METADATA}/timestamp.json"
MAX_BYTES = 5_000_000
OTHER = "another call has changed the channel meanwhile: run the same command again"


def version_name(role: str, version: int) -> str:
    """The object of one version of a role."""
    return f"{METADATA}/{version}.{role}.json"


class ChannelRepository:
    """A channel in a store.

    Args:
        store: of the channel.
        pinned: a root that the publisher trusts; later ones follow from it.

    Raises:
        ChannelError: from every method. What the store holds is not signed as the root says.
        StorageError: from every method. The store refuses, or is not reachable.
    """

    def __init__(self, store: ObjectStore, pinned: bytes) -> None:
        self.store, self._pinned = store, pinned

    def root(self) -> Metadata[Root]:
        """The newest root: each is signed by the one before and by itself."""
        root = parsed(self._pinned, Root, "the pinned root")
        check_signed(root, root.signed)
        while content := self._read(version_name(Root.type, root.signed.version + 1)):
            following = parsed(content, Root, version_name(Root.type, root.signed.version + 1))
            check_signed(following, root.signed)
            check_signed(following, following.signed)
            if following.signed.version != root.signed.version + 1:
                raise ChannelError(f"{version_name(Root.type, root.signed.version + 1)} has another version")
            root = following
        return root

    def root_before(self, root: Metadata[Root]) -> Metadata[Root]:
        """The root before another one, which that one's signatures have verified."""
        version = root.signed.version - 1
        return self._described(Root, version) if version else root

    def read(self, *, finish: bool = True, before: Root | None = None) -> ChannelState:
        """The current metadata.

        Args:
            finish: let devices see a change whose last step is missing.
            before: an older root, whose keys may have signed as well: while keys are being replaced.
        """
        root = self.root()
        timestamp = self.newest_timestamp()
        _check_any(timestamp, root.signed, before)
        snapshot = self._verified(Snapshot, timestamp.signed.snapshot_meta, root.signed, before)
        targets = self._verified(Targets, snapshot.signed.meta["targets.json"], root.signed, before)
        if finish:
            self._show(timestamp)
        return ChannelState(root, targets, snapshot, timestamp)

    def targets_before(self, version: int) -> Iterator[Targets]:
        """Older targets that the store still holds, the newest first, not verified."""
        found = (OLD_TARGETS.fullmatch(one.name) for one in self.store.list(f"{METADATA}/"))
        for number in sorted((int(one[1]) for one in found if one), reverse=True):
            if number < version:
                with suppress(ChannelError):
                    yield self._described(Targets, number).signed

    def has_state(self) -> bool:
        """Whether there is a first timestamp."""
        return self._read(version_name(Timestamp.type, 1)) is not None

    def put_root(self, root: Metadata[Root]) -> None:
        """Store a new root, which is valid at once."""
        self._claim(version_name(Root.type, root.signed.version), root.to_bytes())

    def commit(
        self,
        state: ChannelState,
        keys: KeyRing,
        targets: dict[str, TargetFile] | None = None,
        *,
        resign: tuple[str, ...] = (),
    ) -> ChannelState:
        """Make a change valid: new targets, or new signatures alone.

        Args:
            state: what the change was made from.
            keys: of the roles that change.
            targets: all targets from now on; None: as they are.
            resign: roles to sign anew besides the timestamp, each with those that describe it.

        Returns:
            The new state.

        Raises:
            ChannelError: keys are missing; or, with `may_pass`, another call was first.
        """
        root = state.root.signed
        new = deepcopy(state)
        if targets is not None or Targets.type in resign:
            new.targets.signed.targets = new.targets.signed.targets if targets is None else targets
            self._put_version(new.targets, root, keys)
            new.snapshot.signed.meta["targets.json"] = meta_file(new.targets)
        if targets is not None or resign:
            self._put_version(new.snapshot, root, keys)
            new.timestamp.signed.snapshot_meta = meta_file(new.snapshot)
        new.timestamp.signed.version += 1
        sign(new.timestamp, root, keys.of(Timestamp.type))
        self._claim(version_name(Timestamp.type, new.timestamp.signed.version), new.timestamp.to_bytes())
        self._show(new.timestamp)
        return new

    def begin(self, root: Metadata[Root], keys: KeyRing) -> None:
        """Make a channel without targets valid."""
        blank = ChannelState(root, Metadata(Targets()), Metadata(Snapshot()), Metadata(Timestamp()))
        for one in (blank.targets, blank.snapshot, blank.timestamp):
            one.signed.version = 0
        self.commit(blank, keys, {})

    def newest_timestamp(self) -> Metadata[Timestamp]:
        """The newest timestamp, not verified; devices may not see it yet."""
        shown = self._read(TIMESTAMP)
        found = parsed(shown, Timestamp, TIMESTAMP) if shown else None
        version = found.signed.version if found else 0
        while content := self._read(version_name(Timestamp.type, version + 1)):
            version += 1
            found = parsed(content, Timestamp, version_name(Timestamp.type, version))
        if found is None:
            raise ChannelError("there is no complete channel: run channel init")
        return found

    def put(self, name: str, path: Path, sha256: str) -> bool:
        """Store a file under a name that says its hash; True if it was not there, or damaged."""
        with TemporaryDirectory() as folder:
            if self.store.get(name, Path(folder, "there"), sha256=sha256):
                return False
        self.store.put_new(name, path)
        return True

    def _put_version(self, metadata: Metadata[Role], root: Root, keys: KeyRing) -> None:
        """Sign and store the next version that no earlier, unfinished call has used."""
        role = metadata.signed.type
        metadata.signed.version += 1
        while self.store.size_of(version_name(role, metadata.signed.version)) is not None:
            metadata.signed.version += 1
        sign(metadata, root, keys.of(role))
        self._claim(version_name(role, metadata.signed.version), metadata.to_bytes())

    def _claim(self, name: str, content: bytes) -> None:
        """Create an object; whoever comes second finds another content."""
        with content_file(content) as path:
            self.store.put_new(name, path)
        if self._read(name) != content:
            failed = ChannelError(OTHER)
            failed.may_pass = True
            raise failed

    def _show(self, timestamp: Metadata[Timestamp]) -> None:
        """Let devices see the newest timestamp; also if a slower call has just shown an older one."""
        while self._read(TIMESTAMP) != (content := timestamp.to_bytes()):
            with content_file(content) as path:
                self.store.replace(TIMESTAMP, path)
            timestamp = self.newest_timestamp()

    def _described(self, kind: type[Role], version: int) -> Metadata[Role]:
        name = version_name(kind.type, version)
        content = self._read(name)
        if content is None:
            raise ChannelError(f"{name} is missing, although the channel names it: restore it from a copy")
        return parsed(content, kind, name)

    def _verified(self, kind: type[Role], meta: MetaFile, root: Root, before: Root | None) -> Metadata[Role]:
        """What verified metadata describes; before this, nothing of it is used."""
        found = self._described(kind, meta.version)
        _check_any(found, root, before)
        try:
            meta.verify_length_and_hashes(found.to_bytes())
        except RepositoryError as error:
            raise ChannelError(f"the channel's metadata does not belong together: {error}") from None
        return found

    def _read(self, name: str) -> bytes | None:
        return self.store.read(name, 0, MAX_BYTES)


def open_repository(address: str, pinned: Path, settings: Settings) -> ChannelRepository:
    """The repository at an address.

    Raises:
        ParamsError: the address is none, or there is no pinned root.
    """
    try:
        root = pinned.read_bytes()
    except OSError as error:
        raise ParamsError(
            f"the root {pinned} cannot be read ({error.strerror}): name the file of channel init (--root)"
        ) from None
    return ChannelRepository(open_channel_store(address, settings), root)


def open_channel_store(address: str, settings: Settings) -> ObjectStore:
    """The store of a channel.

    Raises:
        ParamsError: the address is none.
    """
    store = store_at(address, settings)
    if store is None:
        raise ParamsError(
            f"{address!r} cannot hold a channel: expected a folder or s3://BUCKET/PREFIX (--channel)"
        )
    return store


def alone(address: str) -> AbstractContextManager[None]:
    """Wait for other publishers on this machine; in S3, whoever claims a version first is first."""
    if address.startswith("s3://"):
        return nullcontext()
    return locked(Path(address, ".lock"), "another call for this channel")


def _check_any(metadata: Metadata[Role], root: Root, before: Root | None) -> None:
    try:
        check_signed(metadata, root)
    except ChannelError:
        if before is None:
            raise
        check_signed(metadata, before)
