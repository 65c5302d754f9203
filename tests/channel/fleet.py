"""A publisher with its keys and a device with its state, for stories of a channel."""

import json
import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile

from pipelines.channel import metadata, rotation
from pipelines.channel.begin import begin
from pipelines.channel.keys import ROLES, KeyRing
from pipelines.channel.publish import Audience, PublishedBundle, change_rollout, publish
from pipelines.channel.repository import ChannelRepository
from pipelines.channel.rotation import refresh, rotate_key
from reelflow.edge.bundle import Bundle, open_bundle
from reelflow.edge.update.channel.answers import Limits
from reelflow.edge.update.channel.client import ChannelClient
from reelflow.edge.update.channel.documents import wanted
from reelflow.edge.update.channel.transport import Transport
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import ObjectStore

LIMITS = Limits(attempts=3, first_wait_s=0.01, longest_wait_s=0.02, timeout_s=0.4, least_bytes_per_s=2000)
START = datetime(2030, 1, 1, tzinfo=UTC)


def new_ring(*several: str) -> KeyRing:
    """A key a role; two for those that are named."""
    return KeyRing(
        {
            role: tuple(CryptoSigner.generate_ed25519() for _ in range(1 + several.count(role)))
            for role in ROLES
        }
    )


class Publisher:
    """A channel in `folder`, which its own clock signs.

    Attributes:
        now: the publisher's clock.
        keys: private keys of every role.
    """

    def __init__(
        self,
        folder: Path,
        patch: pytest.MonkeyPatch,
        *,
        keys: KeyRing | None = None,
        thresholds: Mapping[str, int] | None = None,
        days: Mapping[str, int] | None = None,
        store: ObjectStore | None = None,
    ) -> None:
        self.now, self.keys, self.folder = START, keys or new_ring(), folder / "channel"
        self.root = folder / "channel-root.json"
        self.store = store or DirectoryStore(self.folder)
        for module in (metadata, rotation):
            patch.setattr(module, "utc_seconds", lambda: self.now)
        begin(self.store, self.root, self.keys, thresholds or {}, days or {})

    @property
    def repository(self) -> ChannelRepository:
        return ChannelRepository(self.store, self.root.read_bytes())

    def publish(self, bundle: Path, *groups: str, percent: float = 100) -> PublishedBundle:
        return publish(self.repository, self.keys, bundle, Audience(groups, percent))

    def rollout(self, verb: Any = None, **changes: Any) -> Any:
        return change_rollout(self.repository, self.keys, verb, **changes)

    def refresh(self) -> None:
        refresh(self.repository, self.keys)

    def rotate(self, role: str) -> None:
        """A new key of a role takes the place of its first one."""
        new, (old, *others) = CryptoSigner.generate_ed25519(), self.keys.of(role)
        rotate_key(self.repository, self.keys, role, new, replaced=old.public_key.keyid)
        self.keys = KeyRing({**self.keys.signers, role: (*others, new)})

    def file(self, role: str) -> Path:
        """The current metadata of a role, as devices fetch it."""
        if role == "timestamp":
            return self.folder / "metadata" / "timestamp.json"
        version = getattr(self.repository.read(finish=False), role).signed.version
        return self.folder / "metadata" / f"{version}.{role}.json"

    def target(self, name: str) -> Path:
        """The file of a target."""
        found = list((self.folder / "targets").rglob(f"*.{name}"))
        return max(found, key=lambda path: path.stat().st_mtime_ns)


class Thief:
    """Has some of the publisher's keys, and writes to the web server."""

    def __init__(self, publisher: Publisher, *roles: str) -> None:
        self.publisher, self.keys = publisher, {role: publisher.keys.of(role) for role in roles}
        state = publisher.repository.read(finish=False)
        self.loaded: dict[str, Metadata[Any]] = {
            role: Metadata.from_bytes(getattr(state, role).to_bytes()) for role in ROLES
        }

    def sign(self, role: str, change: Callable[[Any], object] = lambda _: None, *, version: int = 1) -> None:
        """Publish changed metadata of a role under its next version."""
        found = self.loaded[role]
        found.signed.version += version
        change(found.signed)
        found.signatures.clear()
        for signer in self.keys.get(role, ()):
            found.sign(signer, append=True)
        folder = self.publisher.folder / "metadata"
        name = "timestamp.json" if role == "timestamp" else f"{found.signed.version}.{role}.json"
        (folder / name).write_bytes(found.to_bytes())

    def describe(self, role: str) -> MetaFile:
        """How another role describes this one."""
        found = self.loaded[role]
        return MetaFile.from_data(found.signed.version, found.to_bytes(), ["sha256"])

    def sign_all(self, targets: Callable[[Any], object] = lambda _: None) -> None:
        """Publish changed targets with a snapshot and a timestamp that fit."""
        self.sign("targets", targets)
        self.sign("snapshot", lambda one: one.meta.update({"targets.json": self.describe("targets")}))
        self.sign("timestamp", lambda one: setattr(one, "snapshot_meta", self.describe("snapshot")))


class Device:
    """A device with a pinned root.

    Attributes:
        now: the device's clock.
    """

    def __init__(
        self, folder: Path, root: Path, address: str, *, identity: str = "a", group: str = ""
    ) -> None:
        self.state, self.address = folder / "state", address
        self.identity, self.group, self.now = identity, group, START
        self.versions = folder / "versions"
        self.waits: list[float] = []
        self.state.mkdir(parents=True)
        shutil.copy(root, self.state / "root.json")

    @property
    def client(self) -> ChannelClient:
        return ChannelClient(
            self.state,
            self.address,
            transport=lambda place: Transport(place, LIMITS, self.waits.append),
            now=lambda: self.now,
        )

    def update(self, *have: Path) -> Bundle | None:
        """Do what the rollout says; gives the verified bundle."""
        client = self.client
        bundle_id = wanted(client.refresh(), self.identity, self.group)
        if bundle_id is None:
            return None
        client.download(client.listing(bundle_id), self.versions / bundle_id, have)
        return open_bundle(self.versions / bundle_id)

    def floor(self) -> datetime:
        return datetime.fromisoformat(json.loads((self.state / "clock.json").read_text())["time"])


def days(number: float) -> timedelta:
    return timedelta(days=number)
