"""Connects to MLflow: migrates the database, checks that the server answers, translates errors.

A sqlite file is created and migrated under a lock; a server is not changed. Functions import mlflow,
because the import takes seconds.
"""

import errno
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from reelflow.errors import (
    DISK_ADVICE,
    ReelflowError,
    StorageError,
    TrackingError,
    advising,
    causes,
    disk_errors,
)
from reelflow.files import locked
from reelflow.settings import Settings
from reelflow.sources.userinfo import as_link, without_credentials
from reelflow.tracking.answers.away import UNKNOWN, is_away, is_refused_here
from reelflow.tracking.answers.told import reason_of, told
from reelflow.tracking.moved import artifact_folder, follow_move
from reelflow.tracking.sqlite import SQLITE, migrate, sqlite_file

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Experiment

FULL_DISK = ("database or disk is full", os.strerror(errno.ENOSPC))
REACH_TIMEOUT_S = 5
JOURNALS = "-promotions"  # the experiment of the journals has this after the name
LONGEST_EXPERIMENT = 500  # MAX_EXPERIMENT_NAME_LENGTH of mlflow.utils.validation
SERVER = ("http://", "https://")
DATABASES = ("postgresql", "mysql", "mssql")  # DATABASE_ENGINES of mlflow.store.db.db_types
EXISTS = "RESOURCE_ALREADY_EXISTS"
KIND_TAG, KIND = "mlflow.experimentKind", "custom_model_development"
"""`ExperimentKind` of MLflow's page; 3.17 opens the view for GenAI all the same."""
VIEW = "workflowType=machine_learning"
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",  # a server may ask for hours; what it lacks waits
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # artifacts come through the server: only it can reach the object store, whose address it would tell
    # (`build_server_info_payload` and `MlflowArtifactsRepository` of 3.17)
    "MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD": "false",
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "false",
}
PLACE = "name another place for MLflow in MLFLOW_TRACKING_URI"
UNTRUSTED = ("CERTIFICATE", "invalid path")  # in errors of ssl, and of requests for a file that is not there
TLS_ADVICE = (
    "name its certificate in MLFLOW_TRACKING_SERVER_CERT_PATH, and yours in "
    "MLFLOW_TRACKING_CLIENT_CERT_PATH if it asks for one"
)
SETTING_ADVICE = (
    "no request can be sent: correct the variables MLFLOW_TRACKING_... (a token is one line of ASCII), "
    "MLFLOW_HTTP_... and those of the proxy"
)
ADVICE = "correct MLFLOW_TRACKING_URI, or unset it to use a sqlite file in the working folder"


def connect(settings: Settings) -> "tuple[MlflowClient, str]":
    """A client, and the id of the experiment, which is created if it is new.

    Raises:
        TrackingError: MLflow refuses, or is not reachable.
    """
    return _connect(settings.tracking_uri, settings.experiment, settings.experiment_id)


@cache
def _connect(uri: str, experiment: str, known_id: str) -> "tuple[MlflowClient, str]":
    _check_form(uri)
    _check_name(experiment)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with tracking_errors(uri):
        if uri.startswith(SERVER):
            _check_reachable(uri)
        from mlflow import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # it prints tracebacks
        with exclusive(uri):
            if uri.startswith(SQLITE):
                migrate(sqlite_file(uri))
                follow_move(sqlite_file(uri))
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            found = _by_id(client, known_id) if known_id else _by_name(client, uri, experiment)
            return client, _prepared(client, found)


def exclusive(uri: str) -> AbstractContextManager[None]:
    """Lock a sqlite file against other writers; does nothing for a server."""
    if not uri.startswith(SQLITE):
        return nullcontext()
    return _locked(sqlite_file(uri))


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with advising(PLACE), locked(file.with_name(f"{file.name}.lock")):
        yield


def run_link(experiment: str, run_id: str, artifact: str = "") -> str:
    """Link to a run or one of its artifacts, relative to the MLflow UI, in its view of model training."""
    place = f"/artifacts/{artifact}" if artifact else ""
    return f"#/experiments/{experiment}/runs/{run_id}{place}?{VIEW}"


def server_link(uri: str, experiment: str, run_id: str) -> str:
    """The same for readers who are elsewhere: with the server's address, where there is a server."""
    page = run_link(experiment, run_id)
    return f"{as_link(uri)}/{page}" if uri.startswith(SERVER) else page


@contextmanager
def tracking_errors(uri: str) -> Iterator[None]:
    """Translate errors of MLflow into `TrackingError`, without credentials."""
    try:
        with advising(PLACE), disk_errors(Path(without_credentials(uri))):
            yield
    except ReelflowError:
        raise
    except Exception as error:  # MLflow lets errors of requests, sqlalchemy, alembic and boto3 through
        if _is_full_disk(error) and not uri.startswith(SERVER):
            where = f"{without_credentials(uri)}, or {tempfile.gettempdir()} on the way"
            raise StorageError(f"cannot write {where}: {DISK_ADVICE[errno.ENOSPC]}") from None
        refused = TrackingError(f"MLflow at {without_credentials(uri)}: {told(error)}")
        refused.may_pass = uri.startswith(SERVER) and is_away(error)
        raise refused from None


def _is_full_disk(error: BaseException) -> bool:
    """Whether an error or its cause reports a full disk."""
    return any(words in str(one) for one in causes(error) for words in FULL_DISK)


def _check_name(experiment: str) -> None:
    """Refuse a name at the start whose journal MLflow would refuse at the release."""
    most = LONGEST_EXPERIMENT if experiment.endswith(JOURNALS) else LONGEST_EXPERIMENT - len(JOURNALS)
    if len(experiment) > most:
        raise TrackingError(
            f"MLFLOW_EXPERIMENT_NAME has {len(experiment)} letters, expected at most {most}: choose a "
            "shorter name"
        )


def _check_form(uri: str) -> None:
    if uri.startswith(SQLITE) and sqlite_file(uri).name not in ("", ":memory:"):
        return
    if uri.startswith((*SERVER, *DATABASES)):
        _check_authority(uri)
        return
    found = without_credentials(uri)
    raise TrackingError(
        f"tracking URI {found!r}: expected sqlite:///FILE or a server's http(s) URL; {ADVICE}"
    )


def _check_authority(uri: str) -> None:
    """Refuse a password whose letters end the authority; the error does not show it."""
    try:
        _ = urlsplit(uri).port
    except ValueError:
        raise TrackingError(
            "tracking URI: no port is where one is expected; if it holds a password, write /, ?, #, @ "
            f"and : of it as %2F, %3F, %23, %40 and %3A; {ADVICE}"
        ) from None


def is_reachable(settings: Settings) -> bool:
    """Whether a server answers one quick request; a file always does."""
    try:
        check_reachable(settings)
    except TrackingError:
        return False
    return True


def is_well(settings: Settings) -> bool:
    """Whether MLflow can do what runs need: an error that stays is then that of one run."""
    try:
        check_reachable(settings)
        client, experiment = connect(settings)
        with tracking_errors(settings.tracking_uri):
            client.get_experiment(experiment)
    except ReelflowError:
        return False
    return True


def check_reachable(settings: Settings) -> None:
    """Send a server one quick request: MLflow's own wait for minutes where it hangs.

    Raises:
        TrackingError: it does not answer.
    """
    if settings.tracking_uri.startswith(SERVER):
        with tracking_errors(settings.tracking_uri):
            _check_reachable(settings.tracking_uri)


def _check_reachable(uri: str) -> None:
    """Send one quick request with MLflow's own credentials and certificates; any answer is accepted."""
    from mlflow.exceptions import MlflowException
    from mlflow.tracking._tracking_service.utils import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    creds = get_default_host_creds(uri)
    try:
        http_request(creds, "/health", "GET", max_retries=0, timeout=REACH_TIMEOUT_S, raise_on_status=False)
    except MlflowException as error:
        raise _no_answer(uri, error) from None


def _no_answer(uri: str, error: Exception) -> TrackingError:
    """Why no request came back; a setting that keeps requests here does not pass by itself."""
    reason, refused = reason_of(error), is_refused_here(error)
    untrusted = any(word in reason for word in UNTRUSTED)
    advice = TLS_ADVICE if untrusted else SETTING_ADVICE if refused else ADVICE
    found = TrackingError(f"no MLflow server answers at {without_credentials(uri)}: {reason}; {advice}")
    found.may_pass = not (untrusted or refused)
    return found


def _by_name(client: "MlflowClient", uri: str, name: str) -> "Experiment":
    return client.get_experiment_by_name(name) or _created(client, uri, name)


def _by_id(client: "MlflowClient", known_id: str) -> "Experiment":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_experiment(known_id)
    except MlflowException as error:
        if error.error_code not in UNKNOWN:
            raise
        raise TrackingError(
            f"MLFLOW_EXPERIMENT_ID is {known_id!r}, and MLflow has no such experiment: correct it, or name "
            "one in MLFLOW_EXPERIMENT_NAME, which is made if it is new"
        ) from None


def _prepared(client: "MlflowClient", found: "Experiment") -> str:
    """The id of an experiment that takes runs and says its kind."""
    from mlflow.exceptions import MlflowException

    if found.lifecycle_stage == "deleted":
        raise TrackingError(
            f"the MLflow experiment {found.name!r} was deleted: restore it with `mlflow experiments restore "
            f"--experiment-id {found.experiment_id}`, or give new runs another one in MLFLOW_EXPERIMENT_NAME"
        )
    if KIND_TAG not in found.tags:  # a user's own choice stays
        with suppress(MlflowException):  # another process sets it, or this user may not: it is for show
            client.set_experiment_tag(found.experiment_id, KIND_TAG, KIND)
    return str(found.experiment_id)


def _created(client: "MlflowClient", uri: str, name: str) -> "Experiment":
    """A new experiment; the one that another process has made meanwhile, if a server says so."""
    from mlflow.exceptions import MlflowException

    location = artifact_folder(sqlite_file(uri), name) if uri.startswith(SQLITE) else None
    try:
        return client.get_experiment(client.create_experiment(name, location, {KIND_TAG: KIND}))
    except MlflowException as error:
        found = client.get_experiment_by_name(name) if error.error_code == EXISTS else None
        if found is None:
            raise
        return found
