"""Clips below a prefix of a bucket, as listed: an object that has changed since is an error."""

from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from reelflow.errors import StorageError
from reelflow.objectstore.client import POLICY, S3Client, TransferPolicy
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix
from reelflow.sources.cache import MAX_FILES, Entry


class S3Origin:
    """The objects of a prefix. Several threads may read at once."""

    def __init__(self, address: S3Prefix, settings: Settings, *, policy: TransferPolicy = POLICY) -> None:
        """List the objects, without those that mark empty folders.

        Raises:
            StorageError: the server refuses or cannot be reached.
        """
        self._s3 = S3Client(address.bucket, address.prefix, settings.s3_endpoint, policy)
        self.revision, self.single = "", False
        listed = self._s3.listing("list_objects_v2", _file)
        files = list(islice((one for one in listed if one[0] and not one[0].endswith("/")), MAX_FILES + 1))
        self._etags = {name: etag for name, _, etag in files}
        self.entries: Mapping[str, Entry] = {
            name: Entry(size_bytes, f"{self._s3.url}{name} {etag}") for name, size_bytes, etag in files
        }

    def get(self, name: str, path: Path) -> None:
        """Download an object.

        Raises:
            StorageError: it is gone or has changed, or the server or the disk refuses.
        """
        if not self._s3.get(name, path, etag=self._etags[name]):
            raise StorageError(f"{self._s3.url}{name} is gone: run the same command again")


def _file(name: str, entry: dict[str, Any]) -> tuple[str, int, str]:
    return name, entry["Size"], entry["ETag"].strip('"')
