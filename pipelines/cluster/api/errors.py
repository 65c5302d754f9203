"""A failed request to the Kubeflow Pipelines API becomes one error that says what to do next."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kfp_server_api import ApiException
from urllib3 import exceptions

from reelflow.commandline import printable
from reelflow.errors import ClusterError

NO_ANSWER = 0
UNUSABLE = -1
NOT_FOUND = 404
CONFLICT = 409
TRANSIENT = frozenset({429, 502, 503, 504})
MAX_QUOTE_LETTERS = 300
AGAIN = "run the same command again"
LOGIN = "set REELFLOW_KFP_TOKEN, or the file that REELFLOW_KFP_TOKEN_FILE names, to a token that is valid now"
ADVICE = {
    400: "correct what it names; kfp.namespace is a profile's on a multi-user installation, else empty",
    401: LOGIN,
    403: "ask for rights in the namespace of the cluster file, or correct kfp.namespace",
    NOT_FOUND: "check the id (`python -m pipelines runs` lists runs), and kfp.host or REELFLOW_KFP_HOST",
    CONFLICT: "choose another name, or delete the other one in the UI",
    413: "the package is larger than the server takes: train fewer backbones and heads in one run",
    429: f"wait a little, then {AGAIN}",
}


class ApiError(ClusterError):
    """A request that failed.

    Attributes:
        status: of HTTP; 0 without an answer, -1 if the answer cannot be used.
        transient: whether another attempt can succeed; this attempt may have been carried out.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.transient = status == NO_ANSWER or status in TRANSIENT


@contextmanager
def doing(purpose: str) -> Iterator[None]:
    """Say in an `ApiError` what the request was for."""
    try:
        yield
    except ApiError as error:
        raise ApiError(f"cannot {purpose}: {error}", error.status) from error


def translated(error: Exception, host: str, secret: str) -> ApiError:
    """The error for what the generated client raised; the token is never quoted."""
    if isinstance(error, exceptions.MaxRetryError) and error.reason:
        error = error.reason
    if isinstance(error, ApiException):
        return _refused(error, host, secret)
    if isinstance(error, exceptions.HTTPError):
        return _unanswered(error, host)
    return unreadable(host)


def unreadable(host: str, content_type: str = "") -> ApiError:
    """The error for an answer that is not one of this API."""
    kind = f" ({printable(content_type)})" if content_type else ""
    return ApiError(
        f"{host} did not answer as the Kubeflow Pipelines API does{kind}\n\t"
        "set kfp.host or REELFLOW_KFP_HOST to the base address of /apis/v2beta1, and check whether "
        "a proxy or a login page is in between",
        UNUSABLE,
    )


def _refused(error: ApiException, host: str, secret: str) -> ApiError:
    status = int(error.status)
    if status in ADVICE:
        advice = ADVICE[status]
    elif status < 400:
        advice = f"the server redirects to a login page: {LOGIN}"
    elif status < 500:
        advice = "check the cluster file against the installation"
    else:
        advice = f"look at the log of the deployment ml-pipeline, then {AGAIN}"
    quote = _quoted(error.body or b"", secret)
    return ApiError(f"{host} answered {status}{': ' if quote else ''}{quote}\n\t{advice}", status)


def _unanswered(error: exceptions.HTTPError, host: str) -> ApiError:
    if isinstance(error, exceptions.LocationValueError):
        return ApiError(f"{host} is not an address\n\tcorrect kfp.host or REELFLOW_KFP_HOST", UNUSABLE)
    if isinstance(error, exceptions.SSLError):
        told = f"no trusted TLS connection to {host}: {_shortened(str(error))}"
        advice = "name the PEM file of its authority as kfp.certificate_authority, or correct kfp.host"
        return ApiError(f"{told}\n\t{advice}", UNUSABLE)
    if isinstance(error, exceptions.ReadTimeoutError):
        reason, advice = "no answer in time", f"raise kfp.timeout_s in the cluster file, or {AGAIN}"
    elif isinstance(error, exceptions.ProtocolError):
        reason, advice = "the connection broke off", AGAIN
    else:
        reason = _shortened(str(error).rpartition(": ")[2])
        advice = "check kfp.host or REELFLOW_KFP_HOST, and whether the port is still forwarded"
    return ApiError(f"{host} does not answer: {reason}\n\t{advice}", NO_ANSWER)


def _quoted(body: bytes, secret: str) -> str:
    text = body.decode(errors="replace")
    try:
        text = _message(json.loads(text)) or text
    except ValueError:
        text = html.unescape(re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", text))
    return _shortened(text.replace(secret, "***") if secret else text)


def _message(document: Any) -> str:
    """The server's own words: `message` of most services, `error_message` of an upload."""
    if not isinstance(document, dict):
        return ""
    return next((str(document[k]) for k in ("message", "error_message", "error") if document.get(k)), "")


def _shortened(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= MAX_QUOTE_LETTERS else f"{line[:MAX_QUOTE_LETTERS]}..."
