"""Objects below a prefix of an S3 bucket, on any server: listed, and downloaded with verification.

boto3 retries requests, and `S3Client.send` repeats what boto3 does not: see
docs/adr/0007-boto3-retries-and-transfers.md. The object store and the clip sources share this client.
"""

import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from reelflow.errors import ParamsError, StorageError
from reelflow.files import atomic

ENDPOINT = re.compile(r"https?://(\[[0-9a-f:]+\]|[^\s@/?#:]+)(:\d{1,5})?(/[^\s@?#]*)?")
MD5 = re.compile(r"[0-9a-f]{32}")
CONNECT_TIMEOUT_S = 10
CONNECTIONS = 50
CHUNK_BYTES = 64 * 1024
MIN_BYTES_PER_S = 1000
MAX_PAUSE_S = 20
MISSING = ("404", "NoSuchKey", "NotFound")
TRANSIENT = (
    *("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "NoSuchUpload", "InvalidPart"),
    *("OperationAborted", "ConditionalRequestConflict"),
)
"""Ends of an upload that is altered on its way, that the server has lost, or that competes with another."""
LISTINGS = {"list_objects_v2": ("MaxKeys", "IsTruncated"), "list_multipart_uploads": ("MaxUploads", "Bucket")}
"""Of each operation the argument for the size of a page, and what every page holds."""
FORBIDDEN = "the credentials may not do this: look at AWS_ACCESS_KEY_ID and the bucket's policy"
CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
ADVICE = {
    "403": FORBIDDEN,
    "AccessDenied": FORBIDDEN,
    "InvalidAccessKeyId": "the server does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "there is no such bucket: create it, or correct the address",
    "PreconditionFailed": "it has changed since it was listed: run the same command again",
    "QuotaExceeded": "the bucket is full: free some space, and run the same command again",
    "NoCredentialsError": CREDENTIALS,
    "PartialCredentialsError": CREDENTIALS,
}
LOOK = "look at REELFLOW_S3_ENDPOINT, the AWS_ variables and the server, and run the same command again"
Answer = TypeVar("Answer")
Item = TypeVar("Item")


class TransferError(Exception):
    """An answer that broke off, or is not what was stored or asked for."""


@dataclass(frozen=True)
class TransferPolicy:
    """How often requests are sent, and how much they carry.

    Attributes:
        attempts: of a request, and of an operation that met a transient error.
        timeout_s: of an attempt, without a byte from the server.
        backoff_s: bound of the first pause after a transient error; it doubles up to `MAX_PAUSE_S`.
        part_bytes: larger files are uploaded in parts of this size; S3 requires 5 MiB.
        page_size: names in a page of a listing.
    """

    attempts: int = 6
    timeout_s: float = 60
    backoff_s: float = 1
    part_bytes: int = 8 * 1024 * 1024
    page_size: int = 1000


POLICY = TransferPolicy()


class S3Client:
    """Requests about the objects below a prefix. Several threads may use it at once.

    Attributes:
        url: of the prefix.
        boto: the boto3 client.
    """

    def __init__(self, bucket: str, prefix: str, endpoint: str | None, policy: TransferPolicy) -> None:
        self._bucket, self._prefix = bucket, f"{prefix}/" if prefix else ""
        self._policy = policy
        self.url = f"s3://{bucket}/{self._prefix}"
        self.boto = _open(endpoint, policy)

    def key(self, name: str) -> dict[str, str]:
        """An object, as boto3 takes it."""
        return {"Bucket": self._bucket, "Key": self._prefix + name}

    def send(self, name: str, work: Callable[[], Answer], ignored: Sequence[str] = MISSING) -> Answer | None:
        """Send requests about an object; None if the server answers with an ignored error.

        Raises:
            StorageError: the server refuses or cannot be reached.
        """
        attempt = 1
        with _storage_errors(self.url + name):
            while True:
                try:
                    return work()
                except (TransferError, boto.ClientError) as error:
                    if error_code(error) in ignored:
                        return None
                    if attempt == self._policy.attempts or not _is_transient(error):
                        raise
                pause_s = min(self._policy.backoff_s * 2 ** (attempt - 1), MAX_PAUSE_S)
                time.sleep(random.uniform(0, pause_s))  # noqa: S311
                attempt += 1

    def listing(
        self,
        operation: str,
        convert: Callable[[str, dict[str, Any]], Item],
        *,
        prefix: str = "",
        ignored: Sequence[str] = (),
    ) -> Iterator[Item]:
        """The entries of a listing.

        Args:
            operation: of boto3, one of `LISTINGS`.
            convert: makes an entry of its object's name and of what the server says.
            prefix: with which the names start.
            ignored: errors that end the listing.

        Raises:
            StorageError: the server refuses, cannot be reached, or its answer is not this listing.
        """
        where: dict[str, Any] = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        where[LISTINGS[operation][0]] = self._policy.page_size
        while page := self.send(prefix, partial(self._page, operation, where, convert), ignored):
            found, following = page
            yield from found
            if not following:
                return
            where |= following

    def get(self, name: str, path: Path, *, sha256: str = "", etag: str = "") -> bool:
        """Write a whole object to `path`; False if it does not exist.

        Args:
            name: of the object.
            path: of the file.
            sha256: of the expected content; an object of which the same other content comes twice is
                damaged where it is stored, and is removed. If empty, an ETag that is an MD5 is verified.
            etag: of the expected version.

        Raises:
            StorageError: the server or the disk refuses, or the object is of another version.
        """
        key, wrong = self.key(name), set[str]()
        version = {"IfMatch": f'"{etag}"'} if etag else {}

        def attempt() -> bool:
            answer = self.boto.get_object(**key, **version)
            with atomic(path) as temporary:
                digest = self._save(answer["Body"], temporary, "sha256" if sha256 else "md5")
                if digest != (sha256 or _md5(answer, etag) or digest):
                    if sha256 and digest in wrong:
                        self.boto.delete_object(**key)  # the next attempt finds no object
                    wrong.add(digest)
                    raise TransferError(f"what came is not what was stored: its hash is {digest}")
            return True

        return bool(self.send(name, attempt))

    def _page(
        self, operation: str, where: dict[str, Any], convert: Callable[[str, dict[str, Any]], Item]
    ) -> tuple[list[Item], dict[str, str]]:
        """A page of a listing: its entries, and the arguments for the next page if there is one."""
        page = getattr(self.boto, operation)(**where)
        more, required = page.get("IsTruncated"), LISTINGS[operation][1]
        following = {key.removeprefix("Next"): page[key] for key in page if more and key.startswith("Next")}
        if required not in page or (more and following.items() <= where.items()):
            raise TransferError("the answer is no listing, or does not name the next page")
        entries = page.get("Contents", page.get("Uploads", []))
        if others := [one["Key"] for one in entries if not one["Key"].startswith(where["Prefix"])]:
            raise TransferError(f"the listing holds {others[0]!r}, which was not asked for")
        found = [convert(one["Key"].removeprefix(self._prefix), one) for one in entries]
        return found, following

    def _save(self, body: Any, path: Path, algorithm: str) -> str:
        """Write the body of an answer to a file; returns its hash."""
        digest, begun = hashlib.new(algorithm, usedforsecurity=False), time.monotonic()
        try:
            with path.open("wb") as file, closing(body):
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    file.write(chunk)
                    digest.update(chunk)
                    took_s = time.monotonic() - begun
                    if took_s > self._policy.timeout_s and file.tell() < took_s * MIN_BYTES_PER_S:
                        raise TransferError(f"only {file.tell()} bytes came in {took_s:.0f} s")
        except (boto.BotoCoreError, HTTPError) as error:
            raise TransferError(f"the download broke off: {error}") from None
        return digest.hexdigest()


@contextmanager
def _storage_errors(where: str) -> Iterator[None]:
    """Turn what boto3 raises into a `StorageError`, without secrets."""
    try:
        yield
    except (boto.BotoCoreError, boto.ClientError, TransferError) as error:
        code = error_code(error)
        found = f"the server answered {code}" if isinstance(error, boto.ClientError) else error
        raise StorageError(f"{where}: {found}: {ADVICE.get(code, LOOK)}") from None
    except (ResponseParserError, KeyError, ValueError) as error:
        raise StorageError(f"{where}: the answer is not one of S3 ({error!r}): {LOOK}") from None


def error_code(error: Exception) -> str:
    """S3's name of an error, or Python's of an exception that is none of S3."""
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", type(error).__name__))


def _is_transient(error: TransferError | boto.ClientError) -> bool:
    """Whether to repeat what boto3 does not: its standard mode ignores the status 429."""
    if isinstance(error, TransferError):
        return True
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status == HTTPStatus.TOO_MANY_REQUESTS or error_code(error) in TRANSIENT


def _open(endpoint: str | None, policy: TransferPolicy) -> Any:
    if endpoint and not ENDPOINT.fullmatch(endpoint):
        raise ParamsError(
            f"REELFLOW_S3_ENDPOINT is {re.sub('.*@', '***@', endpoint)!r}: expected http://HOST:PORT or "
            "https://HOST, and credentials only in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    config = Config(
        retries={"mode": "standard", "total_max_attempts": policy.attempts},
        s3={"addressing_style": "path"},
        connect_timeout=min(policy.timeout_s, CONNECT_TIMEOUT_S),
        read_timeout=policy.timeout_s,
        max_pool_connections=CONNECTIONS,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with _storage_errors("s3"):
        return boto3.Session().client("s3", endpoint_url=endpoint, config=config)


def _md5(answer: dict[str, Any], etag: str) -> str:
    """The ETag if it is an MD5: not after an upload in parts, or with encryption by a key."""
    etag = etag or answer["ETag"].strip('"')
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
    return etag if plain and MD5.fullmatch(etag) else ""
