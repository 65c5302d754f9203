"""The one place that talks to the Kubeflow Pipelines API, through its generated client.

Every request has a time limit, and every failure ends as an `ApiError` (failures.py). What may be asked
twice is asked again after a pause. What makes something is looked for first, and looked for again when
the answer was lost, so that nothing is made twice.
"""

import json
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import kfp_server_api as kfp
from kfp_server_api.exceptions import ApiException
from urllib3.exceptions import HTTPError

from pipelines.cluster.bearer import Token
from pipelines.cluster.config import Kfp
from pipelines.cluster.failures import CONFLICT, UNAUTHORIZED, ApiError, translated, unreadable
from reelflow.errors import ClusterError
from reelflow.settings import Settings

ATTEMPTS = 3
PAGE_SIZE = 100

Found = TypeVar("Found")


class Api:
    """A Kubeflow Pipelines API, and who asks it.

    Attributes:
        host: its address.
        namespace: of a profile; None on a single-user installation.
    """

    def __init__(self, config: Kfp, settings: Settings, backoff_s: float = 0.5) -> None:
        """Prepare; no request is sent.

        Raises:
            ClusterError: the token or the certificate authority cannot be used.
        """
        self.host = (settings.kfp_host or config.host).rstrip("/")
        self.namespace = config.namespace or None
        self._timeout_s = config.timeout_s
        self._backoff_s = backoff_s
        self._token = Token(settings.kfp_token, settings.kfp_token_file)
        self._client = kfp.ApiClient(self._configuration(config))
        self.experiments = kfp.ExperimentServiceApi(self._client)
        self.pipelines = kfp.PipelineServiceApi(self._client)
        self.uploads = kfp.PipelineUploadServiceApi(self._client)
        self.runs = kfp.RunServiceApi(self._client)
        self.recurring_runs = kfp.RecurringRunServiceApi(self._client)

    def check(self) -> None:
        """Make sure that this is such an API, and that the namespace fits it.

        Raises:
            ClusterError: it is none, or the namespace does not fit.
        """
        health = kfp.HealthzServiceApi(self._client).healthz_service_get_healthz
        multi_user = bool(self.call("reach the Kubeflow Pipelines API", health).multi_user)
        if multi_user and not self.namespace:
            raise ClusterError(
                f"{self.host} has many users and the cluster file names no namespace: set kfp.namespace to "
                "your profile's"
            )
        if self.namespace and not multi_user:
            raise ClusterError(
                f"{self.host} is a single-user installation, which knows no namespace {self.namespace}: set "
                'kfp.namespace to ""'
            )

    def call(self, doing: str, ask: Callable[..., Any], **named: Any) -> Any:
        """Send a request that may be sent twice: again where that may help.

        Args:
            doing: what for, as messages say it.
            ask: a method of the generated client.
            named: its arguments.

        Raises:
            ApiError: it failed.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self.once(doing, ask, **named)
            except ApiError as error:
                if not error.transient or attempt == ATTEMPTS:
                    raise
                self._pause(attempt)
        raise AssertionError

    def ensure(self, find: Callable[[], Found | None], create: Callable[[], Found]) -> Found:
        """Find something, else create it; look for it again when the answer was lost.

        Raises:
            ApiError: it could be neither found nor created.
        """
        for attempt in range(1, ATTEMPTS + 1):
            found = find()
            if found is not None:
                return found
            try:
                return create()
            except ApiError as error:
                if not (error.transient or error.status == CONFLICT) or attempt == ATTEMPTS:
                    raise
                self._pause(attempt)
        raise AssertionError

    def pages(self, doing: str, ask: Callable[..., Any], items: str, **named: Any) -> Iterator[Any]:
        """Everything in a list, however many pages it has.

        Raises:
            ApiError: a request failed.
        """
        token = ""
        while True:
            page = self.call(doing, ask, page_token=token, page_size=PAGE_SIZE, **named)
            yield from getattr(page, items) or ()
            token = page.next_page_token
            if not token:
                return

    def once(self, doing: str, ask: Callable[..., Any], **named: Any) -> Any:
        """Send a request that must not be sent twice; an expired token is read again first.

        Raises:
            ApiError: it failed.
        """
        try:
            return self._ask(doing, ask, named)
        except ApiError as error:
            if error.status != UNAUTHORIZED or not self._token.renew():
                raise
            self._authorize()
            return self._ask(doing, ask, named)

    def _ask(self, doing: str, ask: Callable[..., Any], named: dict[str, Any]) -> Any:
        try:
            answer = ask(**named, _request_timeout=self._timeout_s)
        except (ApiException, HTTPError, ValueError, TypeError, AttributeError) as error:
            raise translated(error, doing, self.host, self._token.value) from error
        self._require_document(doing)
        return answer

    def _require_document(self, doing: str) -> None:
        """The client makes an empty object of a page in HTML, as if there were nothing on the server."""
        response = self._client.last_response
        try:
            document = json.loads(response.data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise unreadable(doing, self.host, response.getheader("content-type") or "")

    def _configuration(self, config: Kfp) -> Any:
        configuration = kfp.Configuration(host=self.host)
        configuration.retries = False  # Api decides what is asked again
        authority = config.certificate_authority
        if authority is not None:
            if not authority.is_file():
                raise ClusterError(f"kfp.certificate_authority: {authority} is no file; name a PEM file")
            configuration.ssl_ca_cert = str(authority)
        self._authorize(configuration)
        return configuration

    def _authorize(self, configuration: Any = None) -> None:
        configuration = configuration or self._client.configuration
        if self._token.value:
            configuration.api_key["authorization"] = self._token.value
            configuration.api_key_prefix["authorization"] = "Bearer"

    def _pause(self, attempt: int) -> None:
        """Wait twice as long each time, and not at the same time as others."""
        time.sleep(self._backoff_s * 2**attempt * random.uniform(0.5, 1.0))  # noqa: S311


def named(name: str) -> str:
    """The filter for what is displayed under a name."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def connect(config: Kfp, settings: Settings) -> Api:
    """The API that the cluster file or the environment names, once it has answered.

    Raises:
        ClusterError: it cannot be used.
    """
    api = Api(config, settings)
    api.check()
    return api
