"""Objects in S3, of whatever server: path-style, verified by the caller's sha256, tried again.

Servers differ in the checksums, conditions and metadata that they know, so that none of them is needed.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from reelflow.errors import StorageError
from reelflow.files import atomic
from reelflow.settings import Settings
from reelflow.stores.objects import Stored, checked

ATTEMPTS = 5
BACKOFF_S = 0.5
MAX_BACKOFF_S = 10.0
TIMEOUT_S = 60
CHUNK_BYTES = 1024 * 1024
PART_BYTES = 16 * CHUNK_BYTES
MISSING = {"404", "NoSuchKey", "NotFound"}
TAKEN = {"412", "PreconditionFailed", "409", "ConditionalRequestConflict"}
ADVICE = {
    "403": "the credentials may not do this: look at AWS_ACCESS_KEY_ID and the bucket's policy",
    "AccessDenied": "the credentials may not do this: look at AWS_ACCESS_KEY_ID and the bucket's policy",
    "InvalidAccessKeyId": "the server does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "there is no such bucket: create it, or correct REELFLOW_STORE",
}
Answer = TypeVar("Answer")


class TornError(Exception):
    """A body of other content than expected."""


class S3Store:
    """Objects below a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str, settings: Settings) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._where = f"s3://{bucket}/{self._prefix}"
        self._client = _client(settings.s3_endpoint)

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Download an object."""
        return self._again(name, lambda: self._download(name, path, sha256))

    def put_new(self, name: str, path: Path) -> None:
        """Upload a file, large ones in parts."""
        if self.size_of(name) is None:
            self._again(name, lambda: self._upload(name, path))

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        return self._again(name, lambda: self._head(name))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names begin so."""
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        with self._told(prefix):
            for page in pages:
                for found in page.get("Contents", ()):
                    yield Stored(found["Key"].removeprefix(self._prefix), found["Size"])

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._again(name, lambda: self._client.delete_object(**self._key(name)))

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(name)}

    def _head(self, name: str) -> int | None:
        from botocore.exceptions import ClientError

        try:
            return int(self._client.head_object(**self._key(name))["ContentLength"])
        except ClientError as error:
            if _code(error) in MISSING:
                return None
            raise

    def _download(self, name: str, path: Path, sha256: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_object(**self._key(name))
        except ClientError as error:
            if _code(error) in MISSING:
                return False
            raise
        digest = hashlib.sha256()
        with atomic(path) as partial, partial.open("wb") as file, closing(answer["Body"]) as body:
            for chunk in body.iter_chunks(CHUNK_BYTES):
                digest.update(chunk)
                file.write(chunk)
            if sha256 and digest.hexdigest() != sha256:
                raise TornError(f"the body of {name} is not what was stored")
        return True

    def _upload(self, name: str, path: Path) -> None:
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import ClientError

        try:
            if path.stat().st_size <= PART_BYTES:
                with path.open("rb") as file:
                    self._client.put_object(**self._key(name), Body=file, IfNoneMatch="*")
            else:
                parts = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
                self._client.upload_file(str(path), *self._key(name).values(), Config=parts)
        except ClientError as error:
            if _code(error) not in TAKEN:
                raise

    def _again(self, name: str, work: Callable[[], Answer]) -> Answer:
        """Do it, again after what may pass: torn bodies, lost connections, busy servers."""
        from boto3.exceptions import S3UploadFailedError
        from botocore import exceptions as lost

        passing = (
            *(TornError, S3UploadFailedError),
            *(lost.ConnectionError, lost.HTTPClientError, lost.ResponseStreamingError),
        )
        with self._told(name):
            for attempt in range(1, ATTEMPTS):
                try:
                    return work()
                except passing:
                    time.sleep(random.uniform(0, min(MAX_BACKOFF_S, BACKOFF_S * 2**attempt)))  # noqa: S311
            return work()

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turn whatever boto3 raises into a `StorageError`."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = _code(error)
            advice = ADVICE.get(code, "look at the server, and run the same command again")
            raise StorageError(f"{self._where}{name}: the server answered {code}: {advice}") from None
        except (BotoCoreError, Boto3Error, TornError) as error:
            raise StorageError(
                f"{self._where}{name}: {error}; look at REELFLOW_S3_ENDPOINT, the AWS_ variables and the "
                "server, and run the same command again"
            ) from None


def _client(endpoint: str | None) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "max_attempts": ATTEMPTS},
        s3={"addressing_style": "path"},
        connect_timeout=TIMEOUT_S,
        read_timeout=TIMEOUT_S,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.Session().client("s3", endpoint_url=endpoint, config=config)


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
