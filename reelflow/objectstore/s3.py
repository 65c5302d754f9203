"""Objects in S3, of whatever server: path-style, verified on the way up and down.

Servers differ in the checksums, conditions and metadata that they know, so that none of them is needed
beyond Content-MD5. An object of which the same wrong content comes twice has been altered where it lies:
it is removed, so that the next writer can store it anew. Should a line have altered it twice alike, a good
object is lost, which costs no more than making it again.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from reelflow.objectstore.interface import AlteredError, Fragment, Stored, checked
from reelflow.objectstore.s3_requests import (
    LOST,
    PATIENCE,
    Patience,
    TornError,
    Tries,
    error_code,
    explained,
    having,
    list_objects,
    md5_of,
    open_client,
    save_body,
)
from reelflow.settings import Settings

PART_BYTES = 16 * 1024 * 1024
MISSING = {"404", "NoSuchKey", "NotFound"}
TAKEN = {"412", "PreconditionFailed"}
LOST_UPLOAD = {"NoSuchUpload", "InvalidPart", "NotImplemented"}
"""What servers answer that have forgotten an upload after a bad part, or take no part twice, as rclone."""
Answer = TypeVar("Answer")


class S3Store:
    """Objects below a prefix of a bucket. Several threads may use it at once."""

    def __init__(
        self,
        bucket: str,
        prefix: str,
        settings: Settings,
        *,
        patience: Patience = PATIENCE,
        part_bytes: int = PART_BYTES,
        page_names: int = 1000,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._where = f"s3://{bucket}/{self._prefix}"
        self._patience = patience
        self._part_bytes = part_bytes
        self._page_names = page_names
        self._condition = {"IfNoneMatch": "*"}
        self._client = open_client(settings.s3_endpoint, patience)

    def get(self, name: str, path: Path, *, sha256: str = "") -> bool:
        """Download an object."""
        wrong: set[str] = set()
        try:
            return self._again(name, lambda: self._download(name, path, sha256, wrong))
        except AlteredError:
            self.delete(name)
            return False

    def put_new(self, name: str, path: Path) -> None:
        """Upload a file, large ones in parts."""
        with explained(self._where + name):
            tries = Tries(self._patience)
            tries(lambda: self._upload(name, path, tries))

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        return self._again(name, lambda: self._head(name))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names begin so."""
        where = {"Bucket": self._bucket, "Prefix": self._prefix + prefix, "MaxKeys": self._page_names}
        with explained(self._where + prefix):
            for found in list_objects(self._client, self._patience, **where):
                name = found["Key"].removeprefix(self._prefix)
                yield Stored(name, found["Size"], found["LastModified"].timestamp())

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._again(name, lambda: self._client.delete_object(**self._key(name)))

    def _again(self, name: str, work: Callable[[], Answer]) -> Answer:
        with explained(self._where + name):
            return Tries(self._patience)(work)

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + checked(name)}

    def _head(self, name: str) -> int | None:
        try:
            return int(having("ContentLength", self._client.head_object(**self._key(name)))["ContentLength"])
        except ClientError as error:
            if error_code(error) in MISSING:
                return None
            raise

    def _download(self, name: str, path: Path, sha256: str, wrong: set[str]) -> bool:
        try:
            answer = self._client.get_object(**self._key(name))
        except ClientError as error:
            if error_code(error) in MISSING:
                return False
            raise

        expected = sha256 or md5_of(answer)

        def check(digest: str) -> None:
            if expected and digest != expected:
                _tell_wrong(digest, wrong if sha256 else set())

        digest = hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)
        save_body(answer["Body"], path, digest, check)
        return True

    def _upload(self, name: str, path: Path, tries: Tries) -> None:
        if self._head(name) is not None:
            return
        key = self._key(name)
        try:
            if path.stat().st_size > self._part_bytes:
                self._upload_parts(key, path, tries)
            else:
                self._put(key, path.read_bytes())
        except ClientError as error:
            if error_code(error) not in TAKEN:
                raise

    def _put(self, key: dict[str, str], content: bytes) -> None:
        """Store an object, on condition that there is none where the server knows conditions."""
        try:
            self._client.put_object(**key, **_body(content), **self._condition)
        except ClientError as error:
            if error_code(error) != "NotImplemented" or not self._condition:
                raise
            self._condition = {}
            self._client.put_object(**key, **_body(content))

    def _upload_parts(self, key: dict[str, str], path: Path, tries: Tries) -> None:
        """Store an object in parts; an upload that the server has lost begins anew."""
        begun = tries(lambda: having("UploadId", self._client.create_multipart_upload(**key)))
        upload = {**key, "UploadId": begun["UploadId"]}
        try:
            etags = [
                tries(partial(self._upload_part, upload, number, part))
                for number, part in enumerate(_parts(path, self._part_bytes), 1)
            ]
            parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
            end = {**upload, "MultipartUpload": {"Parts": parts}, **self._condition}
            tries(lambda: self._client.complete_multipart_upload(**end))
        except BaseException as error:
            with suppress(ClientError, BotoCoreError, *LOST):
                self._client.abort_multipart_upload(**upload)
            if isinstance(error, ClientError) and error_code(error) in LOST_UPLOAD:
                raise TornError(f"the server has lost parts of the upload of {path.name}") from None
            raise

    def _upload_part(self, upload: dict[str, str], number: int, part: bytes) -> str:
        answer = self._client.upload_part(**upload, PartNumber=number, **_body(part))
        return str(having("ETag", answer)["ETag"])

    def fragments(self) -> Iterator[Fragment]:
        """The uploads in parts that have not ended; none where the server does not tell."""
        where = {"Bucket": self._bucket, "Prefix": self._prefix, "MaxUploads": self._page_names}
        with explained(self._where):
            while page := Tries(self._patience)(partial(self._list_uploads, **where)):
                for found in page.get("Uploads", ()):
                    name, begun = found["Key"].removeprefix(self._prefix), found["Initiated"].timestamp()
                    yield Fragment(name, found["UploadId"], 0, begun)
                if not page.get("IsTruncated"):
                    return
                where |= {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    def discard(self, fragment: Fragment) -> None:
        """Abort an upload, which frees its parts."""
        upload = {**self._key(fragment.name), "UploadId": fragment.handle}
        self._again(fragment.name, lambda: self._abort(upload))

    def _list_uploads(self, **where: Any) -> dict[str, Any]:
        try:
            return having("Bucket", self._client.list_multipart_uploads(**where))
        except ClientError as error:
            if error_code(error) != "NotImplemented":
                raise
            return {}

    def _abort(self, upload: dict[str, str]) -> None:
        try:
            self._client.abort_multipart_upload(**upload)
        except ClientError as error:
            if error_code(error) not in LOST_UPLOAD:
                raise


def _tell_wrong(digest: str, known: set[str]) -> NoReturn:
    """Wrong content that comes a second time is what lies there; other content may be the line's fault."""
    if digest in known:
        raise AlteredError
    known.add(digest)
    raise TornError(f"what came is not what was stored: its hash is {digest}")


def _parts(path: Path, size_bytes: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while part := file.read(size_bytes):
            yield part


def _body(content: bytes) -> dict[str, Any]:
    """A request's body, and the checksum by which any server verifies it."""
    digest = hashlib.md5(content, usedforsecurity=False).digest()
    return {"Body": content, "ContentMD5": b64encode(digest).decode()}
