"""What a failed request to the Kubeflow Pipelines API becomes: one error that says what to do next."""

import html
import json
import re
from typing import Any

from kfp_server_api.exceptions import ApiException
from urllib3 import exceptions

from reelflow.commandline import printable
from reelflow.errors import ClusterError

NO_ANSWER = 0
UNUSABLE = -1
UNAUTHORIZED = 401
NOT_FOUND = 404
CONFLICT = 409
TRANSIENT = {NO_ANSWER, 429, 502, 503, 504}
LONGEST_QUOTE = 300
AGAIN = "run the same command again"
LOGIN = "set REELFLOW_KFP_TOKEN, or the file that REELFLOW_KFP_TOKEN_FILE names, to a token that is valid now"
ADVICE = {
    400: "correct what it names; kfp.namespace is a profile's on a multi-user installation, else empty",
    UNAUTHORIZED: LOGIN,
    403: "ask for rights in the namespace of the cluster file, or correct kfp.namespace",
    NOT_FOUND: "check the id (`python -m pipelines runs` lists runs), and kfp.host or REELFLOW_KFP_HOST",
    CONFLICT: "choose another name, or delete the other one in the UI",
    413: "the package is larger than the server takes: train fewer backbones and heads in one run",
    429: f"wait a little, then {AGAIN}",
}


class ApiError(ClusterError):
    """A request that failed.

    Attributes:
        status: of HTTP; 0 when no answer came, -1 when it could not be read.
        transient: whether another try may do, and whether this one may have been carried out.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.transient = status in TRANSIENT


def translated(error: Exception, doing: str, host: str, secret: str) -> ApiError:
    """The error for what the client raised; the token is never quoted."""
    refused = next((e for e in (error, error.__context__) if isinstance(e, ApiException)), None)
    if refused is not None and refused.status:
        return _refused(refused, doing, host, secret)
    if refused is not None and str(refused.reason).startswith("SSLError"):
        return _untrusted(str(refused.reason), doing, host)
    if isinstance(error, exceptions.HTTPError):
        return _unanswered(error, doing, host)
    return unreadable(doing, host)


def unreadable(doing: str, host: str, content_type: str = "") -> ApiError:
    """The error for an answer that is none of this API."""
    kind = f" ({printable(content_type)})" if content_type else ""
    return ApiError(
        f"cannot {doing}: {host} did not answer as the Kubeflow Pipelines API does{kind}\n\t"
        "set kfp.host or REELFLOW_KFP_HOST to the address under which /apis/v2beta1 lies, and look whether a "
        "proxy or a login page stands in between",
        status=UNUSABLE,
    )


def _refused(error: ApiException, doing: str, host: str, secret: str) -> ApiError:
    status = int(error.status)
    said = _quoted(error.body, secret)
    if status in ADVICE:
        advice = ADVICE[status]
    elif status < 400:
        advice = f"the server sends to a login page: {LOGIN}"
    elif status < 500:
        advice = "check the cluster file against the installation"
    else:
        advice = f"look at the log of the deployment ml-pipeline, then {AGAIN}"
    told = f": {said}" if said else ""
    return ApiError(f"cannot {doing}: {host} answered {status}{told}\n\t{advice}", status)


def _untrusted(reason: str, doing: str, host: str) -> ApiError:
    told = _shortened(reason.partition("\n")[2] or reason)
    return ApiError(
        f"cannot {doing}: no trusted TLS connection to {host}: {told}\n\tname the PEM file of its "
        "authority as kfp.certificate_authority, or correct kfp.host",
        status=UNUSABLE,
    )


def _unanswered(error: exceptions.HTTPError, doing: str, host: str) -> ApiError:
    if isinstance(error, exceptions.LocationValueError):
        return ApiError(f"{host} is no address: correct kfp.host or REELFLOW_KFP_HOST", UNUSABLE)
    if isinstance(error, exceptions.ReadTimeoutError):
        told, advice = "no answer in time", f"raise kfp.timeout_s in the cluster file, or {AGAIN}"
    elif isinstance(error, exceptions.ProtocolError):
        told, advice = "the connection broke off", AGAIN
    else:
        told = _shortened(str(error).rpartition(": ")[2])
        advice = "check kfp.host or REELFLOW_KFP_HOST, and whether the port is still forwarded"
    return ApiError(f"cannot {doing} at {host}: {told}\n\t{advice}", NO_ANSWER)


def _quoted(body: str | bytes | None, secret: str) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else body or ""
    try:
        text = _message(json.loads(text)) or text
    except ValueError:
        text = html.unescape(re.sub(r"(?s)<(script|style).*?</\1>|<[^>]*>", " ", text))
    return _shortened(text.replace(secret, "***") if secret else text)


def _message(document: Any) -> str:
    if not isinstance(document, dict):
        return ""
    return next((str(document[k]) for k in ("message", "error_message", "error") if document.get(k)), "")


def _shortened(text: str) -> str:
    line = printable(" ".join(text.split()))
    return line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}..."
