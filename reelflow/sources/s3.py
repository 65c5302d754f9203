"""Clips below an S3 prefix; an object that has changed since the listing is refused."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from reelflow.objectstore.s3_requests import (
    PATIENCE,
    Patience,
    TornError,
    Tries,
    explained,
    list_objects,
    md5_of,
    open_client,
    save_body,
)
from reelflow.settings import Settings
from reelflow.sources.address import S3Prefix
from reelflow.sources.cache import MAX_FILES, Entry


class S3Origin:
    """The objects of a prefix. Thread-safe."""

    def __init__(self, address: S3Prefix, settings: Settings, *, patience: Patience = PATIENCE) -> None:
        """List the objects.

        Raises:
            StorageError: the server refuses, or is not reachable.
        """
        self._bucket = address.bucket
        self._prefix = f"{address.prefix}/" if address.prefix else ""
        self._where = f"s3://{self._bucket}/{self._prefix}"
        self._patience = patience
        self._client = open_client(settings.s3_endpoint, patience)
        with explained(self._where):
            listed = {found["Key"].removeprefix(self._prefix): found for found in self._listed()}
        self.revision, self.single = "", False
        self._etags = {name: found["ETag"].strip('"') for name, found in listed.items()}
        self.entries: Mapping[str, Entry] = {
            name: Entry(found["Size"], f"{self._where}{name} {self._etags[name]}")
            for name, found in listed.items()
        }

    def get(self, name: str, path: Path) -> None:
        """Download an object.

        Raises:
            StorageError: it is gone or has changed, or the server or the disk refuses.
        """
        with explained(self._where + name):
            Tries(self._patience)(lambda: self._stream(name, path))

    def _listed(self) -> Iterator[dict[str, Any]]:
        """The objects without markers of empty folders."""
        found = list_objects(self._client, self._patience, Bucket=self._bucket, Prefix=self._prefix)
        files = (one for one in found if not one["Key"].endswith("/"))
        return islice(files, MAX_FILES + 1)  # one more than allowed, to report the excess

    def _stream(self, name: str, path: Path) -> None:
        """Write a body into a file; an ETag that is its MD5 is compared."""
        listed = f'"{self._etags[name]}"'
        answer = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name, IfMatch=listed)
        md5 = md5_of({**answer, "ETag": listed})

        def check(digest: str) -> None:
            if md5 and digest != md5:
                raise TornError("the body is not what was stored")

        save_body(answer["Body"], path, hashlib.md5(usedforsecurity=False), check)
