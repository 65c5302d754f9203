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
    if settings.store.startswith("s3://"):
        from reelflow.objectstore.s3 import S3Store

        bucket, _, prefix = settings.store.removeprefix("s3://").rstrip("/").partition("/")
        if BUCKET.fullmatch(bucket) and (not prefix or NAME.fullmatch(prefix)):
            return S3Store(bucket, prefix, settings)
    elif "://" not in settings.store:
        return DirectoryStore(Path(settings.store))
    raise ParamsError(f"REELFLOW_STORE is {settings.store!r}: expected a folder, s3://BUCKET/PREFIX, or none")
