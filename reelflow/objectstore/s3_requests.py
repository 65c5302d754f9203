"""Requests to an S3 server: sent again while that may help, and explained where it does not.

boto3's own retries are off, so that there is one bound for all that happens within an operation: a
server that is gone, busy, mute or that drips costs a known time, however many requests the operation takes.
"""

import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import urllib3
from botocore import exceptions as boto
from botocore.config import Config
from botocore.parsers import ResponseParserError

from reelflow.errors import ParamsError, StorageError
from reelflow.files import atomic
from reelflow.objectstore.s3_gauge import gauge_answers

if TYPE_CHECKING:
    from hashlib import _Hash

MD5 = re.compile(r"[0-9a-f]{32}")
ENDPOINT = re.compile(r"https?://(\[[0-9a-f:]+\]|[^\s@/?#:]+)(:\d{1,5})?(/[^\s@?#]*)?")
CONNECT_S = 10
CHUNK_BYTES = 1024 * 1024
BUSY = {
    *("SlowDown", "RequestTimeout", "Throttling", "OperationAborted", "ConditionalRequestConflict"),
    *("BadDigest", "XAmzContentSHA256Mismatch", "IncompleteBody"),
}
FORBIDDEN = "the credentials may not do this: look at AWS_ACCESS_KEY_ID and the bucket's policy"
ADVICE = {
    "403": FORBIDDEN,
    "AccessDenied": FORBIDDEN,
    "InvalidAccessKeyId": "the server does not know AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not fit AWS_ACCESS_KEY_ID",
    "NoSuchBucket": "there is no such bucket: create it, or correct the address",
    "PreconditionFailed": "it has changed since it was listed: run the same command again",
    "QuotaExceeded": "the bucket is full: free some space, and run the same command again",
}
Answer = TypeVar("Answer")


class TornError(Exception):
    """A body of other content than expected, or an upload of which the server has lost a part."""


LOST = (
    *(boto.ConnectionError, boto.HTTPClientError, boto.ResponseStreamingError, boto.IncompleteReadError),
    *(urllib3.exceptions.HTTPError, ResponseParserError, TornError),
)


@dataclass(frozen=True)
class Patience:
    """How long an operation bears with a server.

    Attributes:
        failures: that it gets over, of all its requests together.
        timeout_s: for the next bytes of an answer, and over which at least `SLOWEST_BYTES_PER_S` (of
            s3_gauge) must come; a connection is waited for no longer than `CONNECT_S`.
        backoff_s: bound of the first pause; each further one may be twice as long, up to `pause_s`.
        pause_s: bound of every pause.
        total_s: nothing is sent again later than this after the first failure since a request succeeded.
    """

    failures: int = 8
    timeout_s: float = 60
    backoff_s: float = 1
    pause_s: float = 10
    total_s: float = 300

    def pause_after(self, failures: int) -> float:
        """A random pause in seconds, so that a hundred clients do not come back at the same moment."""
        bound = min(self.pause_s, self.backoff_s * 2 ** (failures - 1))
        return random.uniform(0, bound)  # noqa: S311


PATIENCE = Patience()


class Tries:
    """Sends the requests of one operation, again after what may pass."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._failing_since: float | None = None

    def __call__(self, work: Callable[[], Answer]) -> Answer:
        """Do it; calls may be nested, and share their bounds."""
        while True:
            try:
                answer = work()
            except (boto.ClientError, *LOST) as error:
                if not may_pass(error) or not self._wait():
                    raise
            else:
                self._failing_since = None
                return answer

    def _wait(self) -> bool:
        """Pause; False if there is no patience left."""
        now = time.monotonic()
        self._failures += 1
        self._failing_since = self._failing_since or now
        pause = self._patience.pause_after(self._failures)
        late = now + pause > self._failing_since + self._patience.total_s
        if late or self._failures > self._patience.failures:
            return False
        time.sleep(pause)
        return True


def open_client(endpoint: str | None, patience: Patience) -> Any:
    """A boto3 client, path-style; checksums are those that every server knows.

    Raises:
        ParamsError: the endpoint is no address.
        StorageError: the `AWS_` variables contradict each other.
    """
    if endpoint and not ENDPOINT.fullmatch(endpoint):
        raise ParamsError(
            f"REELFLOW_S3_ENDPOINT is {re.sub('.*@', '***@', endpoint)!r}: expected http://HOST:PORT or "
            "https://HOST, and credentials only in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    config = Config(
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path"},
        connect_timeout=min(patience.timeout_s, CONNECT_S),
        read_timeout=patience.timeout_s,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    with explained("s3"):
        client = boto3.Session().client("s3", endpoint_url=endpoint, config=config)
    gauge_answers(client)
    return client


def having(name: str, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, if it holds this.

    Raises:
        TornError: it does not: another kind of server may have given it.
    """
    if name not in answer:
        raise TornError(f"the answer holds no {name}, as one of S3 does")
    return answer


def list_objects(client: Any, patience: Patience, **where: Any) -> Iterator[dict[str, Any]]:
    """The objects of a listing, page by page; each page has the whole patience."""
    while True:
        page = Tries(patience)(lambda: _page(client, where))
        yield from page.get("Contents", ())
        if not page["IsTruncated"]:
            return
        where["ContinuationToken"] = page["NextContinuationToken"]


def _page(client: Any, where: dict[str, Any]) -> dict[str, Any]:
    """A page, if it is one of what was asked for, and names the next one."""
    try:
        page = having("IsTruncated", client.list_objects_v2(**where))
    except ValueError as error:
        raise TornError(f"the listing cannot be read: {error}") from None
    for found in page.get("Contents", ()):
        if not having("Key", found)["Key"].startswith(where["Prefix"]):
            raise TornError(f"the listing holds {found['Key']!r}, which was not asked for")
        for name in ("Size", "ETag", "LastModified"):
            having(name, found)
    if page["IsTruncated"]:
        following = having("NextContinuationToken", page)["NextContinuationToken"]
        if following == where.get("ContinuationToken"):
            raise TornError("the listing has no end: a page names itself as the next one")
    return page


def error_code(error: Any) -> str:
    """What S3 calls the error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def may_pass(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if not isinstance(error, boto.ClientError):
        return True
    status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
    return status == 429 or (status >= 500 and status != 501) or error_code(error) in BUSY


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Turn whatever boto3 raises into a `StorageError`, without secrets."""
    try:
        yield
    except boto.ClientError as error:
        code = error_code(error)
        advice = ADVICE.get(code, "look at the server, and run the same command again")
        raise StorageError(f"{where}: the server answered {code}: {advice}") from None
    except (boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError):
        raise StorageError(
            f"{where}: no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from None
    except (boto.BotoCoreError, *LOST) as error:
        slow = isinstance(error, boto.ReadTimeoutError | urllib3.exceptions.ReadTimeoutError)
        found = "the server answers too slowly, or not at all" if slow else error
        raise StorageError(
            f"{where}: {found}; look at REELFLOW_S3_ENDPOINT, the AWS_ variables and the server, "
            "and run the same command again"
        ) from None


def md5_of(answer: dict[str, Any]) -> str:
    """The MD5 of what was stored, which is an object's ETag unless it came in parts or is encrypted by a key.

    Raises:
        TornError: there is no ETag at all.
    """
    etag = str(having("ETag", answer)["ETag"]).strip('"')
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256"
    return etag if plain and MD5.fullmatch(etag) else ""


def save_body(body: Any, path: Path, digest: "_Hash", check: Callable[[str], None]) -> None:
    """Write a body to a file, which appears whole unless `check` refuses its digest by raising."""
    with atomic(path) as partial, partial.open("wb") as file, closing(body):
        for chunk in body.iter_chunks(CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
        check(digest.hexdigest())
