"""Reads the model registry: versions of reelflow, their users and their lineage."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.errors import BundleError, TrackingError
from reelflow.settings import Settings
from reelflow.sources.userinfo import without_credentials
from reelflow.tracking.client import connect, server_link, tracking_errors
from reelflow.tracking.registry import LINEAGE_TAG, SHA_TAG, USER_TAG, MlflowRegistry
from reelflow.tracking.sqlite import SQLITE, sqlite_file

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

UNKNOWN_USER = ("", "unknown")


@dataclass(frozen=True)
class Version:
    """One version of a model that the release step registered."""

    model_name: str
    number: int
    bundle_sha256: str
    lineage_sha256: str
    aliases: tuple[str, ...]
    created: datetime
    user: str
    run_id: str

    @property
    def name(self) -> str:
        """`MODEL/3`."""
        return f"{self.model_name}/{self.number}"


@dataclass(frozen=True)
class TrainingRun:
    """The MLflow run of a classifier; `link` is relative if the address of the UI is unknown."""

    run_id: str
    name: str
    link: str
    status: str
    started: datetime
    commit: str


class Versions:
    """Reads the registry at the tracking URI; never creates one.

    Raises:
        TrackingError: from every method, where MLflow refuses or is not reachable.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uri = settings.tracking_uri
        self.where = without_credentials(self._uri)
        if self._uri.startswith(SQLITE) and not sqlite_file(self._uri).is_file():
            raise TrackingError(f"there is no registry at {self.where}: set MLFLOW_TRACKING_URI")
        self._client, self._experiment = connect(settings)

    def all(self, query: str = "") -> Iterator[Version]:
        """The versions that MLflow's query finds, oldest first; without those of other projects."""
        with tracking_errors(self._uri):
            token: str | None = ""
            while token is not None:
                page = self._client.search_model_versions(
                    query, order_by=["creation_timestamp ASC"], page_token=token or None
                )
                yield from (_version(one) for one in page if SHA_TAG in one.tags)
                token = page.token or None

    def of_bundle(self, sha256: str) -> list[Version]:
        """The versions that hold the bundle whose `bundle.json` has this sha256."""
        return [self._whole(one) for one in self.all(f"tag.{SHA_TAG} = '{sha256}'")]

    def named(self, model_name: str, number: str = "", alias: str = "") -> Version:
        """The version of this number or alias.

        Raises:
            BundleError: it was not registered by the release step.
        """
        with tracking_errors(self._uri):
            if alias:
                number = str(self._client.get_model_version_by_alias(model_name, alias).version)
            found = self._client.get_model_version(model_name, number)
        if SHA_TAG not in found.tags:
            raise BundleError(
                f"{model_name}/{number} has no bundle: it was not registered by the release step"
            )
        return _version(found)

    def _whole(self, version: Version) -> Version:
        """With its aliases, which a search leaves out."""
        return self.named(version.model_name, str(version.number))

    @contextmanager
    def bundle(self, version: Version) -> Iterator[Path]:
        """The bundle of a version, in a temporary folder."""
        with tempfile.TemporaryDirectory() as folder:
            registry = MlflowRegistry(self._settings)
            yield registry.bundle(version.model_name, version.number, Path(folder))

    def lineage(self, version: Version) -> Lineage | None:
        """The lineage of a version; None if not recorded.

        Raises:
            BundleError: it has been altered.
        """
        from mlflow.artifacts import download_artifacts, list_artifacts

        if not version.lineage_sha256:
            return None
        with tempfile.TemporaryDirectory() as folder, tracking_errors(self._uri):
            model = self._client.get_model_version_download_uri(version.model_name, str(version.number))
            listed = list_artifacts(f"{model}/artifacts", tracking_uri=self._uri)
            if len(listed) != 1:
                raise BundleError(f"{version.name} holds {len(listed)} artifacts, expected one bundle")
            name = Path(listed[0].path).name
            found = download_artifacts(
                f"{model}/artifacts/{name}/{LINEAGE}", dst_path=folder, tracking_uri=self._uri
            )
            return Lineage.registered(Path(found), version.lineage_sha256)

    def training_run(self, run_id: str) -> TrainingRun | None:
        """A run; None if it was deleted."""
        from mlflow.exceptions import MlflowException

        with tracking_errors(self._uri):
            try:
                return self._run(self._client.get_run(run_id))
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise

    def run_that_trained(self, key: str) -> TrainingRun | None:
        """The newest run of the training step whose provenance has this key."""
        with tracking_errors(self._uri):
            found = self._client.search_runs(
                [self._experiment], f"params.`training.key` = '{key}'", max_results=1
            )
            return next((self._run(run) for run in found), None)

    def _run(self, found: "Run") -> TrainingRun:
        info = found.info
        return TrainingRun(
            run_id=info.run_id,
            name=info.run_name or "",
            link=server_link(self._uri, info.experiment_id, info.run_id),
            status=info.status,
            started=_time(info.start_time),
            commit=found.data.tags.get("mlflow.source.git.commit", ""),
        )


def _version(found: "ModelVersion") -> Version:
    return Version(
        model_name=found.name,
        number=int(found.version),
        bundle_sha256=found.tags[SHA_TAG],
        lineage_sha256=found.tags.get(LINEAGE_TAG, ""),
        aliases=tuple(sorted(map(str, found.aliases or ()))),
        created=_time(found.creation_timestamp),
        user=found.tags.get(USER_TAG, "") or ("" if found.user_id in UNKNOWN_USER else found.user_id or ""),
        run_id=found.run_id or "",
    )


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
