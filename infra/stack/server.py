"""MLflow's side of a stack: its options, its accounts, and whether it answers."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

import requests

from infra.stack.settings import ADMIN, BUCKET, SETTINGS, StackSettings
from reelflow.errors import ParamsError, TrackingError

ANSWER_S, PAUSE_S, START_S = 10, 0.5, 180
MOST_CHARS = 500
CHECKS = (
    ("server", "/health"),
    ("database", "/api/2.0/mlflow/experiments/search?max_results=1"),
    ("object store", "/api/2.0/mlflow-artifacts/artifacts"),
)
ARTIFACTS = f"s3://{BUCKET}/artifacts"
AUTH = """[mlflow]
default_permission = EDIT
database_uri = {database}
admin_username = {admin}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
"""Everyone with an account may write in every experiment; a password is checked once a minute, which
takes MLflow most of a short request otherwise (`mlflow/server/auth/basic_auth.ini`, 3.17)."""
ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


NEW_ADMIN = """
import os
from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
store = SqlAlchemyStore()
store.init_db(os.environ["MLFLOW_BACKEND_STORE_URI"])
if store.has_user("admin"):
    store.update_user("admin", password=os.environ["MLFLOW_AUTH_ADMIN_PASSWORD"])
"""
"""Needs no running server; MLflow takes the admin's password from its environment only once."""


def auth_configuration(database: str) -> str:
    """The file of `MLFLOW_AUTH_CONFIG_PATH`; percent signs have a meaning in it."""
    return AUTH.format(database=database.replace("%", "%%"), admin=ADMIN)


def options(bind: str, port: int, metrics: str, hosts: str, origins: str) -> tuple[str, ...]:
    """Those of `mlflow server`.

    Args:
        bind: the address to listen on.
        port: likewise.
        metrics: the folder of Prometheus's counters.
        hosts: that requests may name.
        origins: of pages that may change something.
    """
    return (
        "--app-name=basic-auth",
        f"--host={bind}",
        f"--port={port}",
        "--workers=2",
        "--serve-artifacts",
        f"--artifacts-destination={ARTIFACTS}",
        f"--allowed-hosts={hosts}",
        f"--cors-allowed-origins={origins}",
        f"--expose-prometheus={metrics}",
    )


@dataclass(frozen=True)
class Health:
    """One thing that a stack needs.

    Attributes:
        part: what it is.
        problem: what is wrong with it; empty if nothing is.
    """

    part: str
    problem: str


class Server:
    """A running MLflow, as its admin sees it.

    Args:
        settings: of its stack.
    """

    def __init__(self, settings: StackSettings) -> None:
        self._address = settings.address
        self._auth = (ADMIN, settings.admin_password)

    def health(self) -> list[Health]:
        """The server, its database by way of the accounts, its object store by way of the artifacts."""
        return [Health(part, self._problem(path)) for part, path in CHECKS]

    def wait(self, ended: Callable[[], str]) -> None:
        """Until everything answers.

        Args:
            ended: the reason why it never will; empty while it may.

        Raises:
            TrackingError: it does not in `START_S`.
        """
        deadline = time.monotonic() + START_S
        while problems := [one for one in self.health() if one.problem]:
            if reason := ended():
                raise TrackingError(reason)
            if time.monotonic() > deadline:
                told = "; ".join(f"{one.part}: {one.problem}" for one in problems)
                raise TrackingError(f"after {START_S} s {told}: look into the logs")
            time.sleep(PAUSE_S)

    def add_user(self, name: str, *, admin: bool, again: bool) -> str:
        """Make an account, or give an existing one a new password.

        Args:
            name: of the user.
            admin: whether the user may do everything.
            again: the account exists.

        Returns:
            The password.

        Raises:
            ParamsError: the account exists and `again` is not said, or the other way round.
            TrackingError: MLflow refuses, or does not answer.
        """
        password = secrets.token_urlsafe(18)
        if again:
            self._set("PATCH", "update-password", username=name, password=password)
        else:
            self._set("POST", "create", username=name, password=password)
        if admin:
            self._set("PATCH", "update-admin", username=name, is_admin=True)
        return password

    def _set(self, method: str, what: str, **content: str | bool) -> None:
        path = f"/api/2.0/mlflow/users/{what}"
        try:
            answer = self._ask(method, path, content)
        except requests.RequestException as error:
            raise TrackingError(f"MLflow at {self._address} does not answer: make stack") from error
        name = content["username"]
        if "RESOURCE_ALREADY_EXISTS" in answer.text:
            raise ParamsError(f"{name} has an account: --new-password gives it another password")
        if "RESOURCE_DOES_NOT_EXIST" in answer.text:
            raise ParamsError(f"{name} has no account: leave --new-password out")
        if not answer.ok:
            raise TrackingError(f"MLflow at {self._address} refuses: {_told(answer)}")

    def _problem(self, path: str) -> str:
        try:
            answer = self._ask("GET", path)
        except requests.RequestException as error:
            return f"no answer ({type(error).__name__})"
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            return f"the admin's password is not that of {SETTINGS}"
        return "" if answer.ok else _told(answer)

    def _ask(self, method: str, path: str, content: object = None) -> requests.Response:
        return requests.request(method, self._address + path, json=content, auth=self._auth, timeout=ANSWER_S)


def _told(answer: requests.Response) -> str:
    return f"HTTP {answer.status_code}: {answer.text[:MOST_CHARS].strip()}"
