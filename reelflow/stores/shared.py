"""Shards that one machine has made and the others take: found by what they were made from.

A shard is a few files, the one that makes it count as whole named last. Its files are objects that
bear their own sha256 as names, and `<key>.json` lists them; it is stored after them, so that a writer
that dies leaves nothing to be read, and two writers of one shard leave one good copy, even if their
bytes differ.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from reelflow.contracts import Document, Sha256
from reelflow.errors import BundleError
from reelflow.files import sha256_file, write_text
from reelflow.settings import Settings
from reelflow.stores.objects import ObjectStore, open_store


class Listing(Document):
    """`<kind>/<key>.json`: the files of a shard."""

    files: dict[str, Sha256]


class SharedShards:
    """Shards of one kind in an object store."""

    def __init__(self, store: ObjectStore, kind: str) -> None:
        self._store = store
        self._kind = kind

    def fetch(self, key: Sha256, folder: Path, names: Sequence[str]) -> bool:
        """Bring a shard's files into `folder`; False if the store has none.

        Args:
            key: hash of all that the shard was made from.
            folder: where the files go.
            names: of the files, the one that makes the shard whole last.

        Raises:
            StorageError: the store or the disk refuses, or a file has been altered.
        """
        listing = self._listing(key)
        if listing is None or set(listing.files) != set(names):
            return False
        return all(
            self._store.get(self._name(sha256), folder / name, sha256=sha256)
            for name, sha256 in ((name, listing.files[name]) for name in names)
        )

    def publish(self, key: Sha256, folder: Path, names: Sequence[str]) -> None:
        """Store a shard's files.

        Raises:
            StorageError: the store refuses, is full or not reachable.
        """
        files = {name: sha256_file(folder / name) for name in names}
        for name, sha256 in files.items():
            self._store.put_new(self._name(sha256), folder / name)
        with TemporaryDirectory() as temporary:
            path = Path(temporary, "listing.json")
            write_text(path, Listing(files=files).to_json())
            self._store.put_new(f"{self._kind}/{key}.json", path)

    def _listing(self, key: Sha256) -> Listing | None:
        with TemporaryDirectory() as temporary:
            path = Path(temporary, "listing.json")
            if not self._store.get(f"{self._kind}/{key}.json", path):
                return None
            try:
                return Listing.read(path)
            except BundleError:
                return None

    def _name(self, sha256: Sha256) -> str:
        return f"{self._kind}/files/{sha256}"


def default_shards(kind: str) -> SharedShards | None:
    """Shards in the store that the environment names; None where it names none."""
    store = open_store(Settings())
    return SharedShards(store, kind) if store else None
