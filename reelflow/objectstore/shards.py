"""Shards that machines share, by the hash of their inputs.

A shard is a few files; the last one marks it as complete. Its files are objects that are named by their
sha256, and `<key>.json` lists them. The listing is stored last: a killed writer leaves no listing, and two
writers of one shard leave one valid copy, even if their bytes differ. A reader removes damaged and
incomplete shards; they are then computed and published again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from pydantic import model_validator

from reelflow.contracts import Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import content_file, sha256_file, sha256_text
from reelflow.objectstore.interface import ObjectStore, file_name


class Listing(Document):
    """`<kind>/<key>.json`: the files of a shard, and a hash of the listing, to detect damage."""

    files: dict[str, Sha256]
    sha256: Sha256

    @classmethod
    def of(cls, files: Mapping[str, Sha256]) -> Self:
        """The listing of these files."""
        return cls(files=dict(files), sha256=_sha256_of(files))

    @model_validator(mode="after")
    def _is_unaltered(self) -> Self:
        if self.sha256 != _sha256_of(self.files):
            raise ValueError("the listing has been altered since it was written")
        return self


class SharedShards:
    """Shards of one kind in an object store."""

    def __init__(self, store: ObjectStore, kind: str) -> None:
        self._store = store
        self._kind = kind

    def fetch(self, key: Sha256, folder: Path, names: Sequence[str]) -> bool:
        """Bring a shard's files into `folder`; False if the store has none that is whole.

        Args:
            key: hash of all that the shard was made from.
            folder: where the files go.
            names: of the files, the one that makes the shard whole last.

        Raises:
            StorageError: the store or the disk refuses.
        """
        return self._whole(key, names, lambda name, sha256: self.bring(folder / name, sha256)) is not None

    def find(self, key: Sha256, names: Sequence[str]) -> dict[str, Sha256] | None:
        """The hashes of a shard's files, if the store has all of them; none is fetched.

        Args:
            key: hash of all that the shard was made from.
            names: of the files.

        Raises:
            StorageError: the store refuses.
        """
        return self._whole(key, names, lambda _, sha256: self._store.size_of(self._file(sha256)) is not None)

    def bring(self, path: Path, sha256: Sha256) -> bool:
        """Fetch one file, unless an interrupted attempt has fetched it; False if the store has none.

        Raises:
            StorageError: the store or the disk refuses.
        """
        if path.is_file() and sha256_file(path) == sha256:
            return True
        return self._store.get(self._file(sha256), path, sha256=sha256)

    def put(self, path: Path) -> Sha256:
        """Store one file under its hash.

        Raises:
            StorageError: the store refuses, is full or not reachable.
        """
        sha256 = sha256_file(path)
        self._store.put_new(self._file(sha256), path)
        return sha256

    def publish(self, key: Sha256, folder: Path, names: Sequence[str]) -> None:
        """Store a shard's files, unless it exists; `fetch` has removed a damaged one.

        Raises:
            StorageError: the store refuses, is full or not reachable.
        """
        if self._store.size_of(self._listing(key)) is not None:
            return
        files = {name: self.put(folder / name) for name in names}
        with content_file(Listing.of(files).to_json().encode()) as path:
            self._store.put_new(self._listing(key), path)

    def _whole(
        self, key: Sha256, names: Sequence[str], has: Callable[[str, Sha256], bool]
    ) -> dict[str, Sha256] | None:
        """The hashes of a shard's files, if it has each of these names; else its listing is removed."""
        files = self._listed(key)
        if files is None:
            return None
        if files.keys() == set(names) and all(has(name, files[name]) for name in names):
            return files
        self._store.delete(self._listing(key))
        return None

    def _listed(self, key: Sha256) -> dict[str, Sha256] | None:
        """The files in a listing, none if it is damaged; None without a listing."""
        with TemporaryDirectory() as temporary:
            path = Path(temporary, "listing.json")
            if not self._store.get(self._listing(key), path):
                return None
            with suppress(BundleError):
                return Listing.read(path).files
            return {}

    def _listing(self, key: Sha256) -> str:
        return f"{self._kind}/{key}.json"

    def _file(self, sha256: Sha256) -> str:
        return file_name(self._kind, sha256)


def _sha256_of(files: Mapping[str, Sha256]) -> Sha256:
    return sha256_text("".join(f"{sha256} {name}\n" for name, sha256 in sorted(files.items())))


def shared_shards(store: ObjectStore | None, kind: str) -> SharedShards | None:
    """Shards of one kind in a store; None without a store."""
    return SharedShards(store, kind) if store else None
