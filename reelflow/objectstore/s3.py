"""Objects in S3, on any server: verified on the way up and down.

Servers differ in the checksums and conditions that they support: only Content-MD5 is required.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from reelflow.objectstore.client import POLICY, S3Client, TransferPolicy, error_code
from reelflow.objectstore.interface import IncompleteUpload, Stored, checked
from reelflow.settings import Settings

UPLOAD_THREADS = 4
EXISTS = ("412", "PreconditionFailed")
UNSUPPORTED = ("501", "NotImplemented")


class S3Store:
    """Objects below a prefix of a bucket. Several threads may use it at once."""

    def __init__(
        self, bucket: str, prefix: str, settings: Settings, *, policy: TransferPolicy = POLICY
    ) -> None:
        self._s3 = S3Client(bucket, prefix, settings.s3_endpoint, policy)
        self._s3.boto.meta.events.register("provide-client-params.s3", self._add_params)
        self._condition = {"IfNoneMatch": "*"}
        self._parts = TransferConfig(
            multipart_threshold=policy.part_bytes,
            multipart_chunksize=policy.part_bytes,
            max_concurrency=UPLOAD_THREADS,
        )

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Download an object."""
        return self._s3.get(checked(name), path, sha256=sha256)

    def put_new(self, name: str, path: Path) -> None:
        """Upload a file, large ones in parts."""
        self._s3.send(name, lambda: self._upload(name, path), ignored=EXISTS)

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        key = self._key(name)
        return self._s3.send(name, lambda: int(self._s3.boto.head_object(**key)["ContentLength"]))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names start with the prefix."""
        return self._s3.listing("list_objects_v2", _stored, prefix=prefix)

    def delete(self, name: str) -> None:
        """Remove an object."""
        key = self._key(name)
        self._s3.send(name, lambda: self._s3.boto.delete_object(**key))

    def incomplete_uploads(self) -> Iterator[IncompleteUpload]:
        """The uploads in parts that have not finished; none if the server cannot list them."""
        return self._s3.listing("list_multipart_uploads", _incomplete, ignored=UNSUPPORTED)

    def abort(self, upload: IncompleteUpload) -> None:
        """Abort an upload, which frees its parts."""
        which = {**self._key(upload.name), "UploadId": upload.handle}
        ignored = ("NoSuchUpload", *UNSUPPORTED)
        self._s3.send(upload.name, lambda: self._s3.boto.abort_multipart_upload(**which), ignored)

    def _key(self, name: str) -> dict[str, str]:
        return self._s3.key(checked(name))

    def _upload(self, name: str, path: Path) -> None:
        if self.size_of(name) is not None:
            return
        try:
            with path.open("rb") as file:
                self._s3.boto.upload_fileobj(file, **self._key(name), Config=self._parts)
        except ClientError as error:
            if error_code(error) not in UNSUPPORTED or not self._condition:
                raise
            self._condition = {}
            self._upload(name, path)

    def _add_params(self, params: dict[str, Any], model: Any, **_: object) -> None:
        """Add what `upload_fileobj` has no argument for: the condition, and Content-MD5."""
        if model.name in ("PutObject", "UploadPart"):
            digest = hashlib.md5(params["Body"].read(), usedforsecurity=False).digest()
            params["Body"].seek(0)
            params["ContentMD5"] = b64encode(digest).decode()
        if model.name in ("PutObject", "CompleteMultipartUpload"):
            params.update(self._condition)


def _stored(name: str, entry: dict[str, Any]) -> Stored:
    return Stored(name, entry["Size"], entry["LastModified"].timestamp())


def _incomplete(name: str, entry: dict[str, Any]) -> IncompleteUpload:
    return IncompleteUpload(name, entry["UploadId"], 0, entry["Initiated"].timestamp())
