"""Stores of shards in memory and made-up shards, for tests of what moves and removes them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from reelflow.errors import StorageError
from reelflow.files import sha256_file, sha256_text
from reelflow.objectstore.interface import ObjectStore, Stored
from reelflow.objectstore.shards import Listing, SharedShards


class MemoryStore:
    """An object store that keeps the contract, and refuses everything after `patience` changes."""

    def __init__(self, patience: int = 10**9) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}
        self.patience = patience

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        if name not in self.objects:
            return False
        path.write_bytes(self.objects[name][0])
        if sha256 and sha256_file(path) != sha256:
            path.unlink()
            self.delete(name)
            return False
        return True

    def put_new(self, name: str, path: Path) -> None:
        self._lose_patience()
        self.objects.setdefault(name, (path.read_bytes(), 0.0))

    def size_of(self, name: str) -> int | None:
        return len(self.objects[name][0]) if name in self.objects else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        for name, (content, modified) in sorted(self.objects.items()):
            if name.startswith(prefix):
                yield Stored(name, len(content), modified)

    def delete(self, name: str) -> None:
        self._lose_patience()
        self.objects.pop(name, None)

    def put(self, name: str, content: str, modified: float = 0.0) -> None:
        self.objects[name] = (content.encode(), modified)

    def _lose_patience(self) -> None:
        self.patience -= 1
        if self.patience < 0:
            raise StorageError("killed")


def put_shard(
    store: MemoryStore, key: str, contents: Mapping[str, str], *, kind: str = "frames", modified: float = 0.0
) -> str:
    """A shard in memory, of files with these contents; returns its listing's name."""
    files = {name: sha256_text(content) for name, content in contents.items()}
    for name, sha256 in files.items():
        store.put(f"{kind}/files/{sha256}", contents[name], modified)
    listing = f"{kind}/{sha256_text(key)}.json"
    store.put(listing, Listing.of(files).to_json(), modified)
    return listing


def publish(store: ObjectStore, key: str, contents: Mapping[str, str], kind: str = "frames") -> None:
    """A shard in any store, published as a step does."""
    with TemporaryDirectory() as folder:
        for name, content in contents.items():
            Path(folder, name).write_text(content)
        SharedShards(store, kind).publish(sha256_text(key), Path(folder), list(contents))


def fetch(store: ObjectStore, key: str, folder: Path, names: list[str], kind: str = "frames") -> bool:
    """Read a shard as a step does."""
    return SharedShards(store, kind).fetch(sha256_text(key), folder, names)
