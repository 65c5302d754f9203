"""Objects in S3, on any server: verified on the way up and down.

boto3 retries requests; `send` repeats what boto3 does not: docs/adr/0007-boto3-retries-and-transfers.md.
"""

import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from reelflow.files import atomic
from reelflow.objectstore.client import POLICY, TransferError, TransferPolicy, error_code, open_client, send
from reelflow.objectstore.interface import IncompleteUpload, Stored, checked
from reelflow.settings import Settings

MD5 = re.compile(r"[0-9a-f]{32}")
CHUNK_BYTES = 64 * 1024
MIN_BYTES_PER_S = 1000
UPLOAD_THREADS = 4
MISSING = ("404", "NoSuchKey", "NotFound")
EXISTS = ("412", "PreconditionFailed")
UNSUPPORTED = ("501", "NotImplemented")
NO_UPLOAD = ("NoSuchUpload", *UNSUPPORTED)  # rclone answers so to a listing before the first upload in parts
LISTINGS = {"list_objects_v2": ("MaxKeys", "IsTruncated"), "list_multipart_uploads": ("MaxUploads", "Bucket")}
"""Of each operation the argument for the size of a page, and what every page holds."""
Answer = TypeVar("Answer")
Entry = TypeVar("Entry")
Made = Callable[[str, dict[str, Any]], Entry]
"""Makes an entry of the name of an object, and of what a listing says of it."""
new_md5 = partial(hashlib.md5, usedforsecurity=False)


class S3Store:
    """Objects below a prefix of a bucket, at `url`. Several threads may use it at once."""

    def __init__(
        self,
        bucket: str,
        prefix: str,
        settings: Settings,
        *,
        policy: TransferPolicy = POLICY,
        check: Callable[[str], str] = checked,
    ) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self.url = f"s3://{bucket}/{self._prefix}"
        self._policy, self._check = policy, check
        self._boto = open_client(settings.s3_endpoint, policy)
        self._boto.meta.events.register("provide-client-params.s3", self._add_params)
        self._condition = {"IfNoneMatch": "*"}
        self._parts = TransferConfig(
            multipart_threshold=policy.part_bytes,
            multipart_chunksize=policy.part_bytes,
            max_concurrency=UPLOAD_THREADS,
        )

    def get(self, name: str, path: Path, *, sha256: str = "", etag: str = "") -> bool:
        """Download an object.

        Args:
            name: of the object.
            path: of the file.
            sha256: of the expected content. If the same other content comes twice, the object is damaged
                in the store, and removed. Without a sha256, an ETag that is an MD5 is verified.
            etag: of the expected version; another one is an error.
        """
        key, wrong = self._key(name), set[str]()
        version = {"IfMatch": f'"{etag}"'} if etag else {}

        def attempt() -> bool:
            answer = self._boto.get_object(**key, **version)
            with atomic(path) as temporary, temporary.open("w+b") as file:
                self._copy(answer["Body"], file)
                file.seek(0)
                digest = hashlib.file_digest(file, "sha256" if sha256 else new_md5).hexdigest()
                if digest != (sha256 or _md5(answer, etag) or digest):
                    if sha256 and digest in wrong:
                        self._boto.delete_object(**key)  # the next attempt finds no object
                    wrong.add(digest)
                    raise TransferError(f"the content is not what was stored: its hash is {digest}")
            return True

        return bool(self._send(name, attempt))

    def read(self, name: str, start: int, size_bytes: int) -> bytes | None:
        """A part of an object."""
        part = {**self._key(name), "Range": f"bytes={start}-{start + size_bytes - 1}"}

        def attempt() -> bytes:
            content = BytesIO()
            self._copy(self._boto.get_object(**part)["Body"], content)
            return content.getvalue()

        return self._send(name, attempt)

    def put_new(self, name: str, path: Path) -> None:
        """Upload a file, large ones in parts."""
        self._send(name, lambda: self._upload(name, path), ignored=EXISTS)

    def replace(self, name: str, path: Path) -> None:
        """Upload a file, whatever is there; no cache may keep it."""
        content = path.read_bytes()
        what = {**self._key(name), "CacheControl": "no-cache"}
        self._send(name, lambda: self._boto.put_object(**what, Body=BytesIO(content)))

    def size_of(self, name: str) -> int | None:
        """Bytes of an object."""
        return self._send(name, lambda: int(self._boto.head_object(**self._key(name))["ContentLength"]))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """The objects whose names start with the prefix."""

        def stored(name: str, found: dict[str, Any]) -> Stored:
            return Stored(name, found["Size"], found["LastModified"].timestamp(), found["ETag"].strip('"'))

        return self._entries("list_objects_v2", stored, prefix)

    def delete(self, name: str) -> None:
        """Remove an object."""
        self._send(name, lambda: self._boto.delete_object(**self._key(name)))

    def incomplete_uploads(self) -> Iterator[IncompleteUpload]:
        """The uploads in parts that have not finished; none if the server cannot list them."""

        def begun(name: str, found: dict[str, Any]) -> IncompleteUpload:
            remove = partial(self._abort, name, found["UploadId"])
            return IncompleteUpload(name, 0, found["Initiated"].timestamp(), remove)

        return self._entries("list_multipart_uploads", begun, ignored=NO_UPLOAD)

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self._bucket, "Key": self._prefix + self._check(name)}

    def _send(self, name: str, work: Callable[[], Answer], ignored: Sequence[str] = MISSING) -> Answer | None:
        """Send requests about an object; None if the server answers with an ignored error."""
        return send(work, self.url + name, self._policy, ignored)

    def _entries(
        self, operation: str, made: Made[Entry], prefix: str = "", ignored: Sequence[str] = ()
    ) -> Iterator[Entry]:
        """What is made of each entry of a listing."""
        where: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        where[LISTINGS[operation][0]] = self._policy.page_size
        while where and (page := self._send(prefix, partial(self._page, operation, made, where), ignored)):
            entries, where = page
            yield from entries

    def _page(
        self, operation: str, made: Made[Entry], where: dict[str, Any]
    ) -> tuple[Sequence[Entry], dict[str, Any]]:
        """What is made of a page's entries, and where the next page is; empty after the last one."""
        page = getattr(self._boto, operation)(**where)
        more, required = page.get("IsTruncated"), LISTINGS[operation][1]
        following = {key.removeprefix("Next"): page[key] for key in page if more and key.startswith("Next")}
        if required not in page or (more and following.items() <= where.items()):
            raise TransferError("the answer is not a listing, or does not name the next page")
        found = page.get("Contents", page.get("Uploads", []))
        if others := [one["Key"] for one in found if not one["Key"].startswith(where["Prefix"])]:
            raise TransferError(f"the listing holds {others[0]!r}, which was not asked for")
        entries = [made(one["Key"].removeprefix(self._prefix), one) for one in found]
        return entries, where | following if following else {}

    def _abort(self, name: str, handle: str) -> None:
        """Abort an upload, if it exists, which frees its parts."""
        which = {**self._key(name), "UploadId": handle}
        self._send(name, lambda: self._boto.abort_multipart_upload(**which), NO_UPLOAD)

    def _copy(self, body: Any, file: BinaryIO) -> None:
        """Copy the body of an answer, chunk by chunk."""
        begun = time.monotonic()
        try:
            with body:
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
                    took_s = time.monotonic() - begun
                    if took_s > self._policy.timeout_s and file.tell() < took_s * MIN_BYTES_PER_S:
                        raise TransferError(f"only {file.tell()} bytes came in {took_s:.0f} s")
        except (BotoCoreError, HTTPError) as error:
            raise TransferError(f"the download broke off: {error}") from None

    def _upload(self, name: str, path: Path) -> None:
        if self.size_of(name) is not None:
            return
        try:
            with path.open("rb") as file:
                self._boto.upload_fileobj(file, **self._key(name), Config=self._parts)
        except ClientError as error:
            if error_code(error) not in UNSUPPORTED or not self._condition:
                raise
            self._condition = {}
            self._upload(name, path)

    def _add_params(self, params: dict[str, Any], model: Any, **_: object) -> None:
        """Add what `upload_fileobj` has no argument for: Content-MD5, and the condition."""
        if model.name in ("PutObject", "UploadPart"):
            params["ContentMD5"] = b64encode(new_md5(params["Body"].read()).digest()).decode()
            params["Body"].seek(0)
        is_new = "CacheControl" not in params  # which `replace` sets
        if is_new and model.name in ("PutObject", "CompleteMultipartUpload"):
            params.update(self._condition)


def _md5(answer: dict[str, Any], etag: str) -> str:
    """The ETag if it is an MD5: not after an upload in parts, or with encryption by a key."""
    etag = etag or answer["ETag"].strip('"')
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
    return etag if plain and MD5.fullmatch(etag) else ""
