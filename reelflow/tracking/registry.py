"""The model registry: versions of bundles, and the aliases that devices follow.

A version keeps the evaluation of its classifier beside the bundle, so that a later one can be
compared with it clip by clip. `MlflowRegistry` is the real
implementation of `Registry`.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from reelflow.artifacts.evaluations import SCORES, Candidate
from reelflow.artifacts.lineage import LINEAGE
from reelflow.contracts import BundleReport, EvaluationReport
from reelflow.errors import BundleError
from reelflow.files import sha256_file
from reelflow.settings import Settings
from reelflow.tracking.answers.away import UNKNOWN
from reelflow.tracking.client import EXISTS, connect, exclusive, tracking_errors
from reelflow.tracking.journal.entry import user_name
from reelflow.tracking.journal.run import JournalRun
from reelflow.tracking.journal.store import JournalStore
from reelflow.tracking.model.measured import link_model, link_version
from reelflow.tracking.model.saving import save_model
from reelflow.tracking.records import run_name
from reelflow.tracking.tracker import Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

SHA_TAG = "bundle_sha256"
EVALUATION_TAG = "evaluation_sha256"  # only of versions that came with their evaluation
LINEAGE_TAG = "lineage_sha256"  # only of versions whose lineage was recorded
USER_TAG = "released_by"
EVALUATION = "evaluation"
READY = "READY"
NO_LOGGED_NAME = (".", "_")
"""A registered model's name may have dots, a logged model's may not (mlflow.utils.validation)."""
EVALUATION_FILES = (EvaluationReport.file_name, SCORES)


class Registry(Protocol):
    """Versions of a model are numbered from 1 and never change; an alias points to one version."""

    def register(
        self, bundle: Path, *, model_name: str, tags: Mapping[str, str], evaluation: Path | None = None
    ) -> int:
        """Register a bundle; returns the existing version if the same bundle is registered.

        Args:
            bundle: folder of the bundle.
            model_name: of the registry.
            tags: of a new version.
            evaluation: folder of the classifier's evaluation, to keep with a new version.
        """

    @property
    def journals(self) -> JournalStore:
        """Where the moves of each model's champion are written."""

    def set_alias(self, model_name: str, alias: str, version: int | None) -> None:
        """Move an alias to a version, or remove it. `Promotions` alone moves `champion` and `previous`."""

    def has(self, model_name: str, version: int) -> bool:
        """Whether there is this version."""

    def set_tags(self, model_name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""

    def alias(self, model_name: str, alias: str) -> int | None:
        """The version that an alias points to."""

    def tags(self, model_name: str, version: int) -> dict[str, str]:
        """The tags of a version."""

    def bundle(self, model_name: str, version: int, folder: Path) -> Path:
        """Fetch a version's bundle.

        Args:
            model_name: of the registry.
            version: of the model.
            folder: to download to.

        Returns:
            The folder of the bundle; not verified yet.

        Raises:
            BundleError: the version holds no bundle.
        """

    def evaluation(self, model_name: str, version: int, folder: Path) -> Candidate | None:
        """Fetch the evaluation that a version was registered with; None if there was none.

        Args:
            model_name: of the registry.
            version: of the model.
            folder: to download to.

        Raises:
            BundleError: it is damaged, or of another version of reelflow.
        """


class MlflowRegistry:
    """MLflow's registry, at the tracking URI.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uri = settings.tracking_uri

    @property
    def _client(self) -> "MlflowClient":
        return connect(self._settings)[0]

    def register(
        self, bundle: Path, *, model_name: str, tags: Mapping[str, str], evaluation: Path | None = None
    ) -> int:
        """Log the bundle as a model of its classifier's run, and register that."""
        sha256 = sha256_file(bundle / BundleReport.file_name)
        run_id = self._run_id(BundleReport.open(bundle))
        with tracking_errors(self._uri), exclusive(self._uri):
            known = self._version_of(model_name, sha256)
            if known is not None:
                return known
            with tempfile.TemporaryDirectory() as folder:
                model = Path(folder, "model")
                save_model(bundle, model)
                own = origin_tags(bundle) | keep_evaluation(evaluation, model / EVALUATION)
                measured = EvaluationReport.open(evaluation) if evaluation else None
                return self._create(model, run_id, model_name, {**tags, **own}, measured)

    @property
    def journals(self) -> JournalRun:
        """The run of each model's journal."""
        return JournalRun(self._settings)

    def set_alias(self, model_name: str, alias: str, version: int | None) -> None:
        """Point an alias to a version, or remove it."""
        client = self._client  # connecting takes the same lock
        with tracking_errors(self._uri), exclusive(self._uri):
            if version is None:
                client.delete_registered_model_alias(model_name, alias)
            else:
                client.set_registered_model_alias(model_name, alias, str(version))

    def has(self, model_name: str, version: int) -> bool:
        """Whether there is this version."""
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri):
            try:
                self._client.get_model_version(model_name, str(version))
            except MlflowException as error:
                if error.error_code in UNKNOWN:
                    return False
                raise
            return True

    def set_tags(self, model_name: str, version: int, tags: Mapping[str, str]) -> None:
        """Set tags of a version."""
        client = self._client
        with tracking_errors(self._uri), exclusive(self._uri):
            for name, value in tags.items():
                client.set_model_version_tag(model_name, str(version), name, value)

    def alias(self, model_name: str, alias: str) -> int | None:
        """The version that an alias points to; None also if the model does not exist."""
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri):
            try:
                return int(self._client.get_model_version_by_alias(model_name, alias).version)
            except MlflowException as error:
                if error.error_code in UNKNOWN:
                    return None
                raise

    def tags(self, model_name: str, version: int) -> dict[str, str]:
        """The tags of a version."""
        with tracking_errors(self._uri):
            return dict(self._client.get_model_version(model_name, str(version)).tags)

    def bundle(self, model_name: str, version: int, folder: Path) -> Path:
        """Fetch a version's bundle."""
        found = list(self._fetch(model_name, version, "artifacts", folder).iterdir())
        if len(found) != 1 or not found[0].is_dir():
            raise BundleError(
                f"version {version} of {model_name} has {len(found)} artifacts, expected one bundle: "
                "it was not registered by the release step"
            )
        return found[0]

    def evaluation(self, model_name: str, version: int, folder: Path) -> Candidate | None:
        """Fetch the evaluation that a version was registered with."""
        sha256 = self.tags(model_name, version).get(EVALUATION_TAG)
        if sha256 is None:
            return None
        found = self._fetch(model_name, version, EVALUATION, folder)
        return open_evaluation(found, sha256)

    def _fetch(self, model_name: str, version: int, what: str, folder: Path) -> Path:
        from mlflow.artifacts import download_artifacts, list_artifacts

        with tracking_errors(self._uri):  # a models:/ URI would be looked up at MLflow's default address
            model = self._client.get_model_version_download_uri(model_name, str(version))
            there = {Path(one.path).name for one in list_artifacts(model, tracking_uri=self._uri)}
            if what not in there:
                raise BundleError(
                    f"version {version} of {model_name} has no {what} any more: somebody removed its files"
                )
            found = download_artifacts(f"{model}/{what}", dst_path=str(folder), tracking_uri=self._uri)
        return Path(found)

    def _version_of(self, model_name: str, sha256: str) -> int | None:
        found: list[ModelVersion] = self._client.search_model_versions(
            f"name = '{model_name}' and tag.{SHA_TAG} = '{sha256}'"
        )
        return min((int(one.version) for one in found), default=None)

    def _run_id(self, report: BundleReport) -> str:
        tracker = Tracker(self._settings)
        return tracker.child(tracker.parent(run_name(self._settings, report)), report.name)

    def _create(
        self,
        model: Path,
        run_id: str,
        model_name: str,
        tags: dict[str, str],
        measured: EvaluationReport | None,
    ) -> int:
        logged = self._logged(model_name, run_id, tags[SHA_TAG])
        if logged.status != READY:
            self._client.log_model_artifacts(logged.model_id, str(model))
            self._client.finalize_logged_model(logged.model_id, READY)
        link_model(self._client, run_id, logged.model_id, measured)
        self._name(model_name)
        self._client.create_model_version(
            model_name, logged.artifact_location, run_id=run_id, tags=tags, model_id=logged.model_id
        )
        number = self._only_version(model_name, tags[SHA_TAG])
        link_version(self._client, logged.model_id, model_name, number)
        return number

    def _logged(self, model_name: str, run_id: str, sha256: str) -> "LoggedModel":
        """The logged model of a bundle; what a killed process has begun is gone on with."""
        experiment, name = Tracker(self._settings).experiment, model_name.replace(*NO_LOGGED_NAME)
        query = f"name = '{name}' AND source_run_id = '{run_id}' AND tags.{SHA_TAG} = '{sha256}'"

        def search() -> "list[LoggedModel]":
            found = self._client.search_logged_models([experiment], query)
            return sorted(found, key=lambda one: (one.status != READY, one.model_id))

        if not (found := search()):
            self._client.create_logged_model(
                experiment, name=name, source_run_id=run_id, tags={SHA_TAG: sha256}
            )
            found = search()
        for twin in found[1:]:  # MLflow repeats a request whose answer is lost
            self._client.delete_logged_model(twin.model_id)
        return found[0]

    def _name(self, model_name: str) -> None:
        """Make a registered model of this name, unless there is one."""
        from mlflow.exceptions import MlflowException

        if self._client.search_registered_models(f"name = '{model_name}'"):
            return
        try:
            self._client.create_registered_model(model_name)
        except MlflowException as error:
            if error.error_code != EXISTS:
                raise

    def _only_version(self, model_name: str, sha256: str) -> int:
        """The version of a bundle; those that a repeated request has made beside it are removed."""
        from mlflow.exceptions import MlflowException

        found = self._client.search_model_versions(f"name = '{model_name}' and tag.{SHA_TAG} = '{sha256}'")
        first, *others = sorted(int(one.version) for one in found)
        for number in others:
            with suppress(MlflowException):  # another process is faster
                self._client.delete_model_version(model_name, str(number))
        return first


def origin_tags(bundle: Path) -> dict[str, str]:
    """Tags of a new version: the bundle, its inputs, and the user who registers it."""
    tags = {SHA_TAG: sha256_file(bundle / BundleReport.file_name)}
    if (bundle / LINEAGE).is_file():
        tags[LINEAGE_TAG] = sha256_file(bundle / LINEAGE)
    if user := user_name():
        tags[USER_TAG] = user
    return tags


def keep_evaluation(evaluation: Path | None, target: Path) -> dict[str, str]:
    """Copy the parts of an evaluation that a comparison needs; returns the tag of the version."""
    if evaluation is None:
        return {}
    target.mkdir(parents=True)
    for name in EVALUATION_FILES:
        shutil.copyfile(evaluation / name, target / name)
    return {EVALUATION_TAG: sha256_file(target / EvaluationReport.file_name)}


def open_evaluation(folder: Path, sha256: str) -> Candidate:
    """Read a kept evaluation.

    Raises:
        BundleError: it has been altered, or is of another version of reelflow.
    """
    path = folder / EvaluationReport.file_name
    if not path.is_file() or sha256_file(path) != sha256:
        raise BundleError(f"{path.name} in the registry has been altered since it was registered")
    return Candidate(folder, EvaluationReport.open(folder))
