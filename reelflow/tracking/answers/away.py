"""Whether an error of MLflow may pass, or somebody has to correct something first."""

import json

from reelflow.errors import causes

PASSING = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED", "ABORTED")
UNKNOWN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
"""MLflow's codes for a name or an id that it does not know: there is none, or it cannot be one."""
TOO_MANY, SERVERS_FAULT = 429, 500  # HTTP status


def is_away(error: Exception) -> bool:
    """Whether a server may answer later.

    For no answer, and for 5xx without a body of its own, MLflow raises INTERNAL_ERROR (`http_request` and
    `verify_rest_response` in mlflow.utils.rest_utils); uploads of artifacts let errors of requests through.
    """
    from mlflow.exceptions import MlflowException
    from requests import RequestException

    if isinstance(error, MlflowException):
        return error.error_code in PASSING
    response = error.response if isinstance(error, RequestException) else None
    if response is not None:
        return response.status_code == TOO_MANY or response.status_code >= SERVERS_FAULT
    return isinstance(error, RequestException | ConnectionError | TimeoutError)


def is_refused_here(error: BaseException) -> bool:
    """Whether a request never left this machine, because a setting of MLflow or of the proxy is wrong.

    `http_request` gives all that keeps a request from being sent the code INTERNAL_ERROR too: a line break
    in a header, a proxy without an address, a time limit of 0, credentials that a plug-in does not find.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import InvalidHeader, InvalidProxyURL, InvalidSchema, InvalidURL

    wrong = (InvalidHeader, InvalidProxyURL, InvalidSchema, InvalidURL, ImportError, MlflowException)
    below = list(causes(error))[1:]
    return any(
        isinstance(one, wrong)
        or (isinstance(one, ValueError) and not isinstance(one, json.JSONDecodeError | OSError))
        for one in below
    )
