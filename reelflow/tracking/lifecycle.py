"""Start and end of a cluster run in MLflow.

A run is tagged with a hash of all its inputs. If a finished run has the same hash, a scheduled run has
nothing to do and ends.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from reelflow.errors import DataError, ReelflowError, TrackingError
from reelflow.files import sha256_file, sha256_text
from reelflow.settings import Settings
from reelflow.sources.address import is_remote
from reelflow.sources.content import content_hash
from reelflow.sources.fetch import data_version
from reelflow.tracking.records import (
    DONE,
    FAILURE_TAG,
    OUTCOME_TAG,
    finish_run,
    forget_failure,
    record_failure,
)
from reelflow.tracking.teachers import teacher_version
from reelflow.tracking.tracker import RUN_TAG, Tracker
from reelflow.workers.patience import patiently

MARK_TAG = "reelflow.mark"
NOTHING_NEW = "reelflow.nothing_new."  # a run's name follows
WORDLESS = "it ended without a word: killed, out of memory or terminated"
WEBHOOK_TIMEOUT_S = 10
WEBHOOK_RETRIES = Retry(
    total=3, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=None
)


class InputVersions(NamedTuple):
    """Of what a run reads: hashes, empty for what it does not read, and all empty if it has nothing to do."""

    data: str
    weights: str
    teachers: str


def begin(
    settings: Settings,
    source: str,
    work: str,
    *,
    always: bool,
    weights: str = "",
    teachers: Sequence[str] = (),
    split_lists: Sequence[str] = (),
    inflate: str = "",
) -> tuple[InputVersions, str]:
    """Start a run in MLflow, unless a finished run has the same inputs.

    Args:
        settings: with the run's name.
        source: of the clips, as in params.
        work: hash of the params and the images.
        always: start it in any case.
        weights: of backbones, as in params; files count by their content.
        teachers: as in params.
        split_lists: files, as in params; they count by their content.
        inflate: the file that video networks start from, as in params; likewise.

    Returns:
        What a cache must tell apart, and a link below the MLflow UI to this run, or to the finished run with
        the same inputs.

    Raises:
        DataError: there are no clips, no weights, no split lists, or no file to start from.
        StorageError: they cannot be reached.
        TrackingError: MLflow refuses, or is not reachable.
    """
    files = [("dataset.split_lists", one) for one in split_lists]
    files += [("training.video.inflate", inflate)] if inflate else []
    try:
        data = patiently(lambda: _version(settings, source), settings.patience_s)
        own = _weights_version(settings, weights)
        given = [patiently(partial(teacher_version, one, settings), settings.patience_s) for one in teachers]
        named = [_file_version(key, file) for key, file in files]
    except ReelflowError as error:
        record_failure(settings, "check", str(error))
        raise
    mark = {MARK_TAG: sha256_text("\n".join([work, data, *filter(None, [own, *given, *named])]))}
    is_new, link = patiently(lambda: _started(settings, mark, always=always), settings.patience_s)
    if not is_new:
        return InputVersions("", "", ""), link
    return InputVersions(data, own, sha256_text("\n".join(given)) if given else ""), link


def _started(settings: Settings, mark: dict[str, str], *, always: bool) -> tuple[bool, str]:
    """Whether there is something to do, and a link to this run, or to the one that has done it."""
    tracker = Tracker(settings)
    done = None if always else tracker.find(mark, "FINISHED")
    if done:
        tracker.log(done, tags={NOTHING_NEW + settings.run_name: DONE})
        return False, tracker.link(done)
    run_id = tracker.parent(settings.run_name)
    tracker.check_writable(run_id)
    tracker.log(run_id, tags=mark)
    forget_failure(settings, "check")
    return True, tracker.link(run_id)


def _version(settings: Settings, source: str) -> str:
    if not is_remote(source) and not Path(source).exists():
        raise _absent(source, "dataset.source")
    return data_version(source, settings)


def _weights_version(settings: Settings, weights: str) -> str:
    """Hash of the content of a file or folder; empty for a name such as imagenet."""
    path = Path(weights)
    if path.is_file():
        return sha256_file(path)
    if weights and path.is_dir():
        return content_hash(path, settings)
    if path.is_absolute():
        raise _absent(weights, "features.weights")
    return ""


def _file_version(key: str, file: str) -> str:
    if not Path(file).is_file():
        raise _absent(file, key)
    return sha256_file(Path(file))


def _absent(path: str, key: str) -> DataError:
    return DataError(
        f"{path} does not exist in the pod: correct {key}, or mount a volume there "
        "(volumes in infra/cluster.yaml, with the task check)"
    )


def end(settings: Settings, ask: Callable[[], str] = lambda: "") -> str:
    """Report a run that did not end well to MLflow and to the webhook.

    No word of KFP decides: a run has ended well if its last step has left a mark in MLflow, or its check has
    found nothing new.

    Args:
        settings: with the run's name, and the webhook's address if there is one.
        ask: which task has failed, if another program knows; used if no step recorded a reason.

    Returns:
        What failed; empty for a run that ended well.

    Raises:
        TrackingError: the webhook refuses, or is not reachable.
    """
    try:
        reason = patiently(lambda: _why_failed(settings, ask), settings.patience_s)
    except TrackingError as error:
        reason = f"how it ended is not known: {error}"
    if not reason:
        return ""
    text = f"reelflow run {settings.run_name} has not ended well: {reason}"
    if settings.webhook:
        body = {"run": settings.run_name, "state": "FAILED", "reason": reason, "text": text}
        _post(settings.webhook.get_secret_value(), body)
    return text


def _why_failed(settings: Settings, ask: Callable[[], str]) -> str:
    """Why a run failed, which is recorded; empty if it ended well."""
    tracker = Tracker(settings)
    run_id = tracker.find({RUN_TAG: settings.run_name})
    tags = tracker.tags(run_id) if run_id else {}
    if tags.get(OUTCOME_TAG) == DONE or tracker.find({NOTHING_NEW + settings.run_name: DONE}):
        return ""
    if run_id:
        finish_run(settings, "FAILED")
    return tags.get(FAILURE_TAG) or ask() or WORDLESS


def _post(url: str, body: dict[str, str]) -> None:
    """Send a JSON document; the URL may hold a secret and is never shown."""
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=WEBHOOK_RETRIES))
        try:
            session.post(url, json=body, timeout=WEBHOOK_TIMEOUT_S).raise_for_status()
        except requests.RequestException as error:
            status = getattr(error.response, "status_code", None)
            found = f"answered {status}" if status else f"did not answer ({type(error).__name__})"
            raise TrackingError(
                f"the webhook {found}: correct the url in the secret reelflow-webhook"
            ) from None
