"""A boto3 client, what is repeated beyond its retries, and error messages for users."""

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

from reelflow.errors import ParamsError, StorageError

ENDPOINT = re.compile(r"https?://(\[[0-9a-f:]+\]|[^\s@/?#:]+)(:\d{1,5})?(/[^\s@?#]*)?")
CONNECT_TIMEOUT_S = 10
CONNECTIONS = 50
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
TRANSIENT = (
    *("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody", "NoSuchUpload", "InvalidPart"),
    *("OperationAborted", "ConditionalRequestConflict"),
)
"""What boto3 does not retry: content altered on its way, a lost upload, a conflict with another writer."""
LOOK = "look at REELFLOW_S3_ENDPOINT, the AWS_ variables and the server, and run the same command again"
Answer = TypeVar("Answer")


class TransferError(Exception):
    """An answer that broke off, or is not what was stored or asked for."""


@dataclass(frozen=True)
class TransferPolicy:
    """Retries, timeouts and sizes of requests.

    Attributes:
        attempts: of a request, and of an operation that met a transient error.
        timeout_s: of an attempt, without a byte from the server.
        backoff_s: bound of the first pause after a transient error; it doubles.
        part_bytes: larger files are uploaded in parts of this size; S3 requires 5 MiB.
        page_size: names in a page of a listing.
    """

    attempts: int = 6
    timeout_s: float = 60
    backoff_s: float = 1
    part_bytes: int = 8 * 1024 * 1024
    page_size: int = 1000


POLICY = TransferPolicy()


def open_client(endpoint: str | None, policy: TransferPolicy) -> Any:
    """A boto3 client for any server: path-style, with no other checksums than those that S3 requires.

    Raises:
        ParamsError: the endpoint is not an address.
        StorageError: the `AWS_` variables contradict each other.
    """
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
    with storage_errors("s3"):
        return boto3.Session().client("s3", endpoint_url=endpoint, config=config)


def send(
    work: Callable[[], Answer], where: str, policy: TransferPolicy, ignored: Sequence[str]
) -> Answer | None:
    """Send requests, again if boto3 does not repeat them; None if the server answers with an ignored error.

    Args:
        work: sends them.
        where: what they are about, for messages.
        policy: bounds attempts and pauses.
        ignored: codes of errors.

    Raises:
        StorageError: the server refuses, or cannot be reached.
    """
    attempt = 1
    with storage_errors(where):
        while True:
            try:
                return work()
            except (TransferError, ClientError) as error:
                if error_code(error) in ignored:
                    return None
                if attempt == policy.attempts or not _is_transient(error):
                    raise
            time.sleep(random.uniform(0, policy.backoff_s * 2 ** (attempt - 1)))  # noqa: S311
            attempt += 1


@contextmanager
def storage_errors(where: str) -> Iterator[None]:
    """Turn what boto3 raises into a `StorageError`, without secrets."""
    try:
        yield
    except (BotoCoreError, ClientError, TransferError) as error:
        code = error_code(error)
        found = f"the server answered {code}" if isinstance(error, ClientError) else error
        failed = StorageError(f"{where}: {found}: {ADVICE.get(code, LOOK)}")
        failed.may_pass = _is_away(error)
        raise failed from None
    except (ResponseParserError, KeyError, ValueError) as error:
        raise StorageError(f"{where}: the answer is not one of S3 ({error!r}): {LOOK}") from None


def _is_away(error: Exception) -> bool:
    """Whether the server may answer later: no answer, 429 or 5xx."""
    status = _status(error)
    is_busy = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return is_busy or isinstance(error, HTTPClientError)


def _is_transient(error: Exception) -> bool:
    """Whether to repeat what boto3 does not: its standard mode ignores the status 429."""
    known = isinstance(error, TransferError) or error_code(error) in TRANSIENT
    return known or _status(error) == HTTPStatus.TOO_MANY_REQUESTS


def _status(error: Exception) -> int:
    """The HTTP status that the server answered; 0 without an answer."""
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"]) if isinstance(error, ClientError) else 0


def error_code(error: Exception) -> str:
    """The error code of S3, or the class name of another exception."""
    name = type(error).__name__
    return str(error.response["Error"].get("Code", name)) if isinstance(error, ClientError) else name
