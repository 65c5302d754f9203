"""The object store that the settings name."""

import re
from pathlib import Path

from reelflow.errors import ParamsError
from reelflow.objectstore.directory import DirectoryStore
from reelflow.objectstore.interface import NAME, ObjectStore
from reelflow.settings import Settings

BUCKET = re.compile(r"[A-Za-z0-9._-]+")
NO_STORE = "none"


def open_store(settings: Settings) -> ObjectStore | None:
    """The store that `REELFLOW_STORE` names; None for `none`.

    Raises:
        ParamsError: it names neither a folder nor `s3://BUCKET[/PREFIX]`.
    """
    if settings.store == NO_STORE:
        return None
    found = store_at(settings.store, settings)
    if found is None:
        raise ParamsError(
            f"REELFLOW_STORE is {settings.store!r}: expected a folder, s3://BUCKET/PREFIX, or none"
        )
    return found


def store_at(address: str, settings: Settings) -> ObjectStore | None:
    """The store at an address; None if that is neither a folder nor `s3://BUCKET[/PREFIX]`."""
    if address.startswith("s3://"):
        from reelflow.objectstore.s3 import S3Store

        bucket, _, prefix = address.removeprefix("s3://").rstrip("/").partition("/")
        if BUCKET.fullmatch(bucket) and (not prefix or NAME.fullmatch(prefix)):
            return S3Store(bucket, prefix, settings)
        return None
    return None if "://" in address else DirectoryStore(Path(address))
