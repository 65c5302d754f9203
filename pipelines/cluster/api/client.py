"""`kfp.Client` with time limits, retries and one family of errors.

Callers use its methods and, where a method lacks something, the generated API below it: `client.runs`,
`client.experiments` and so on are the services of kfp-server-api. What is lacking, and which test shows it,
is in docs/adr/0008-kubeflow-api-by-kfp-client.md.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

import kfp
from kfp_server_api import ApiException
from kfp_server_api.rest import RESTClientObject
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from pipelines.cluster.api.credentials import client_credentials
from pipelines.cluster.api.errors import CONFLICT, TRANSIENT, ApiError, doing, translated, unreadable
from pipelines.cluster.config import Kfp
from reelflow.errors import ClusterError
from reelflow.settings import Settings

PAGE_SIZE = 100
RETRY = Retry(
    total=3,
    other=0,  # a TLS certificate does not become trusted
    redirect=0,  # to a login page
    raise_on_redirect=False,
    allowed_methods={"GET", "DELETE"},
    status_forcelist=TRANSIENT,
    raise_on_status=False,
    respect_retry_after_header=False,
    backoff_factor=0.5,
    backoff_jitter=0.5,
)

Found = TypeVar("Found")


class KubeflowClient(kfp.Client):  # type: ignore[misc]  # kfp carries no types
    """The Kubeflow Pipelines API that the cluster file or the environment names.

    Attributes:
        host: its address.
        namespace: of a profile; None on a single-user installation.
    """

    def __init__(self, config: Kfp, settings: Settings, retry: Retry = RETRY) -> None:
        """Prepare; no request is sent.

        Raises:
            ClusterError: the token or the certificate authority cannot be used.
        """
        self.host = (settings.kfp_host or config.host).rstrip("/")
        self.namespace = config.namespace or None
        self._retry = retry
        authority = config.certificate_authority
        if authority and not authority.is_file():
            raise ClusterError(f"kfp.certificate_authority: {authority} is not a file; name a PEM file")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # "only works with v2.0.0-beta.2 and later"
            super().__init__(
                host=self.host,
                namespace="-",  # any: without one the constructor asks the server, without a time limit
                ssl_ca_cert=authority and str(authority),
                **client_credentials(settings),
            )
        api_client = self.runs.api_client
        configuration = api_client.configuration
        configuration.retries = retry
        configuration.logger["urllib3_logger"].setLevel(logging.ERROR)  # else a warning for each attempt
        api_client.rest_client = _RestClient(configuration, config.timeout_s)

    def get_user_namespace(self) -> str | None:
        """What lists ask for by default."""
        return self.namespace

    def _load_context_setting_or_default(self) -> None:
        """Leave out ~/.config/kfp/context.json, whose cookie and header kfp sends to any host."""
        self._context_setting: dict[str, str] = {}

    def check(self) -> None:
        """Check that the server is a KFP API, and that the namespace matches.

        Raises:
            ClusterError: it is not, or the namespace does not fit.
        """
        with doing("reach the Kubeflow Pipelines API"):
            multi_user = self.get_kfp_healthz().multi_user
        if multi_user is None:  # which the API always says, and the UI only if it reaches the API
            raise ClusterError(
                f"at {self.host} KFP's UI answers, but its API server does not: look at the deployment "
                "ml-pipeline, then run the same command again"
            )
        if multi_user and not self.namespace:
            raise ClusterError(
                f"{self.host} is a multi-user installation, but the cluster file names no namespace: set "
                "kfp.namespace to "
                "your profile's"
            )
        if self.namespace and not multi_user:
            raise ClusterError(
                f"{self.host} is a single-user installation without a namespace {self.namespace}: set "
                'kfp.namespace to ""'
            )

    def write(
        self, purpose: str, act: Callable[[], Found], find: Callable[[], Found | None] = lambda: None
    ) -> Found:
        """Write to the server, again after a failure that can pass.

        Args:
            purpose: what for, as an error says it.
            act: writes; repeated only while `find` finds nothing.
            find: looks for what `act` writes, since an answer can be lost; without it `act` may run twice.

        Raises:
            ApiError: the server refused or did not answer.
        """
        retry = self._retry
        while True:
            found = find()
            if found is not None:
                return found
            try:
                with doing(purpose):
                    return act()
            except ApiError as error:
                if not retry.total or not (error.transient or error.status == CONFLICT):
                    raise
            retry = retry.increment()
            retry.sleep()


class _RestClient(RESTClientObject):  # type: ignore[misc]  # kfp-server-api carries no types
    """Sends requests with a time limit; each failure is an `ApiError`."""

    def __init__(self, configuration: Any, timeout_s: float) -> None:
        super().__init__(configuration)
        self._configuration = configuration
        self._timeout_s = timeout_s

    def request(self, method: str, url: str, **options: Any) -> Any:
        """Send a request.

        Raises:
            ApiError: it failed, or the answer is not a JSON object.
        """
        host = self._configuration.host
        options["_request_timeout"] = (self._timeout_s, self._timeout_s)  # to connect, to read
        try:
            response = super().request(method, url, **options)
        except (ApiException, HTTPError, ValueError) as error:
            raise translated(error, host, self._configuration.api_key.get("authorization", "")) from error
        if not _is_object(response.data):  # the client makes empty lists of a login page
            raise unreadable(host, response.getheader("content-type") or "")
        return response


def connect(config: Kfp, settings: Settings) -> KubeflowClient:
    """The API, once it has answered.

    Raises:
        ClusterError: it cannot be used.
    """
    client = KubeflowClient(config, settings)
    client.check()
    return client


def pages(
    purpose: str, ask: Callable[..., Any], items: str, size: int | None = None, **arguments: Any
) -> Iterator[Any]:
    """Everything in a list, however many pages it has.

    Args:
        purpose: what for, as an error says it.
        ask: a method of the client that lists.
        items: what its answer calls them.
        size: of a page, if less than usual is wanted.
        arguments: of the method.

    Raises:
        ApiError: the server refused or did not answer.
    """
    token = ""
    while True:
        with doing(purpose):
            page = ask(page_token=token, page_size=min(size or PAGE_SIZE, PAGE_SIZE), **arguments)
        yield from getattr(page, items) or ()
        token = page.next_page_token
        if not token:
            return


def named(name: str) -> str:
    """The filter for a display name."""
    return where(("display_name", "EQUALS", name))


def where(*predicates: tuple[str, str, str]) -> str:
    """The filter for what fulfils all of these: key, operation, value.

    It is URL-encoded, as the server decodes it once more than HTTP does.
    """
    told = [{"key": key, "operation": how, "stringValue": value} for key, how, value in predicates]
    return quote(json.dumps({"predicates": told}))


def _is_object(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict)
    except ValueError:
        return False
