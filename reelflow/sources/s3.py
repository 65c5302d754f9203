"""Clips below a prefix of a bucket, as listed: an object that has changed since is an error."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path

from reelflow.errors import StorageError
from reelflow.objectstore.client import POLICY, TransferPolicy
from reelflow.objectstore.s3 import S3Store
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix
from reelflow.sources.cache import MAX_FILES, Entry


class S3Origin:
    """The objects of a prefix, with any names. Several threads may read at once."""

    def __init__(self, address: S3Prefix, settings: Settings, *, policy: TransferPolicy = POLICY) -> None:
        """List the objects, without those that mark empty folders.

        Raises:
            StorageError: the server refuses or cannot be reached.
        """
        self._store = S3Store(address.bucket, address.prefix, settings, policy=policy, check=str)
        self.revision, self.single = "", False
        files = (one for one in self._store.list() if one.name and not one.name.endswith("/"))
        listed = list(islice(files, MAX_FILES + 1))
        self._etags = {one.name: one.etag for one in listed}
        self.entries: Mapping[str, Entry] = {
            one.name: Entry(one.size_bytes, f"{self._store.url}{one.name} {one.etag}") for one in listed
        }

    def get(self, name: str, path: Path) -> None:
        """Download an object.

        Raises:
            StorageError: it is gone or has changed, or the server or the disk refuses.
        """
        if not self._store.get(name, path, etag=self._etags[name]):
            raise StorageError(f"{self._store.url}{name} is gone: run the same command again")
