"""The shared shards of an object store: `<kind>/<key>.json` listings and `<kind>/files/<sha256>`.

Kinds are the frames of clips, features, and the facts that the dataset step finds by decoding each clip.

Other objects in the store are ignored.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from components.dataset import facts
from components.features.shards import ShardNote
from reelflow.artifacts import features, frames
from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError, ParamsError
from reelflow.objectstore.interface import ObjectStore, Stored
from reelflow.objectstore.open import NO_STORE, open_store
from reelflow.objectstore.shards import Listing
from reelflow.settings import Settings

FACTS, FRAMES, FEATURES = facts.KIND, frames.KIND, features.KIND
KINDS = (FACTS, FRAMES, FEATURES)
OURS = re.compile(rf"({'|'.join(KINDS)})/([0-9a-f]{{64}}\.json|files/[0-9a-f]{{64}})")
READERS = 16
Read = TypeVar("Read", bound=Document)


@dataclass(frozen=True)
class Shard:
    """A listing, and the files that it names.

    Attributes:
        name: of the listing.
        files: sha256 by file name; empty if the listing is damaged.
    """

    name: str
    files: Mapping[str, Sha256]

    @property
    def kind(self) -> str:
        """`facts`, `frames` or `features`."""
        return self.name.partition("/")[0]

    @property
    def objects(self) -> tuple[str, ...]:
        """Names of the files' objects."""
        return tuple(f"{self.kind}/files/{sha256}" for sha256 in self.files.values())


@dataclass(frozen=True)
class Catalog:
    """All shards of a store, and their objects, by name."""

    objects: Mapping[str, Stored]
    shards: Mapping[str, Shard]

    def is_whole(self, shard: Shard) -> bool:
        """Whether all files of a shard exist."""
        return bool(shard.files) and all(name in self.objects for name in shard.objects)

    def size_bytes(self, shard: Shard) -> int:
        """Bytes of a shard's files."""
        return sum(self.objects[name].size_bytes for name in shard.objects if name in self.objects)

    def orphans(self) -> list[Stored]:
        """Files that no listing names."""
        named = {name for shard in self.shards.values() for name in shard.objects}
        return [
            stored for name, stored in self.objects.items() if name not in named and name not in self.shards
        ]


def open_shared(settings: Settings) -> ObjectStore:
    """The store of shards that the settings name.

    Raises:
        ParamsError: it is `none`, or not a store.
    """
    store = open_store(settings)
    if store is None:
        raise ParamsError(
            f"REELFLOW_STORE is {NO_STORE}: shards are not shared; name a folder or s3://BUCKET/PREFIX"
        )
    return store


def read_catalog(store: ObjectStore) -> Catalog:
    """Read every listing of a store.

    Raises:
        StorageError: the store refuses or is not reachable.
    """
    objects = {
        stored.name: stored
        for kind in KINDS
        for stored in store.list(f"{kind}/")
        if OURS.fullmatch(stored.name)
    }
    names = [name for name in objects if name.endswith(".json")]
    found = dict(zip(names, read_documents(store, names, Listing), strict=True))
    return Catalog(
        objects, {name: Shard(name, listing.files if listing else {}) for name, listing in found.items()}
    )


def read_notes(store: ObjectStore, catalog: Catalog) -> Iterator[tuple[Shard, ShardNote]]:
    """The complete shards of features, each with the note on its inputs."""
    shards = [
        shard for shard in catalog.shards.values() if shard.kind == FEATURES and catalog.is_whole(shard)
    ]
    names = [_note(shard) for shard in shards]
    for shard, note in zip(shards, read_documents(store, names, ShardNote), strict=True):
        if note:
            yield shard, note


def read_documents(store: ObjectStore, names: list[str], kind: type[Read]) -> list[Read | None]:
    """Documents of a store, read in parallel; None for a missing or damaged one."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(READERS) as pool:

        def read(place: int) -> Read | None:
            path = Path(folder, str(place))
            with suppress(BundleError):
                if store.get(names[place], path):
                    return kind.read(path)
            return None

        return list(pool.map(read, range(len(names))))


def _note(shard: Shard) -> str:
    """The object of a shard's note: the one of its two files that is not an array."""
    return next(
        (
            f"{shard.kind}/files/{sha256}"
            for name, sha256 in sorted(shard.files.items())
            if name.endswith(".json")
        ),
        shard.objects[0],
    )
