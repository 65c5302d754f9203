"""From a bundle or a registered model back to the hash of every clip.

The facts come from the bundle folder and the model registry; the folder of the run is not needed.
A link that was not recorded is reported as missing.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.contracts import BundleReport, Sha256
from reelflow.documents import Document
from reelflow.edge.bundle import open_bundle
from reelflow.errors import BundleError, ParamsError, TrackingError
from reelflow.files import exists, sha256_file
from reelflow.provenance.step import PROVENANCE, Provenance
from reelflow.settings import Settings
from reelflow.tracking.versions import TrainingRun, Version, Versions

MODEL = re.compile(r"models:/(?P<name>[^/@]+)(@(?P<alias>[^/@]+)|/(?P<number>[0-9]{1,9}))")
BUNDLE = "bundle"


class Release(Document):
    """A registered version of the bundle."""

    version: str
    aliases: tuple[str, ...]
    released_by: str
    """Empty if not recorded."""
    released_at: str
    same_lineage: bool
    """Whether it was registered with this lineage."""


class TracedRun(Document):
    """The MLflow run of the training."""

    run_id: str
    name: str
    link: str
    """Link to the MLflow UI; starts at `#` if its address is unknown."""
    status: str
    started_at: str
    commit: str
    """Git commit of the code; empty if not recorded."""


class Chain(Document):
    """The lineage of a bundle; `lineage --json`."""

    bundle: BundleReport
    bundle_sha256: Sha256
    lineage: Lineage | None
    conversion: Provenance | None
    run: TracedRun | None
    releases: tuple[Release, ...]
    missing: tuple[str, ...]
    """Links that were not recorded or could not be read, each with the reason."""


@dataclass(frozen=True)
class LineageTarget:
    """The bundle to trace.

    Attributes:
        folder: of the bundle.
        versions: the registry, if it is reachable.
        problem: why it is not.
    """

    folder: Path
    versions: Versions | None
    problem: str = ""


def trace(target: str, settings: Settings) -> Chain:
    """Follow the chain of a bundle's folder, a run's folder, or `models:/NAME@ALIAS` or `models:/NAME/3`.

    Raises:
        ParamsError: it is not one of these.
        BundleError: the bundle or its lineage is damaged.
        TrackingError: the registry of the model is not reachable.
    """
    with _opened(target, settings) as found:
        return _chain(found)


@contextmanager
def _opened(target: str, settings: Settings) -> Iterator[LineageTarget]:
    if not target.startswith("models:"):
        yield _on_disk(target, settings)
        return
    named = MODEL.fullmatch(target)
    if named is None:
        raise ParamsError(
            f"{target!r}: expected models:/NAME@ALIAS or models:/NAME/VERSION, as models:/reelflow/3"
        )
    versions = Versions(settings)
    version = versions.named(named["name"], named["number"] or "", named["alias"] or "")
    with versions.bundle(version) as folder:
        if sha256_file(folder / BundleReport.file_name) != version.bundle_sha256:
            raise BundleError(f"the bundle of {version.name} in the registry is not what was registered")
        yield LineageTarget(folder, versions)


def _on_disk(target: str, settings: Settings) -> LineageTarget:
    folder = _folder(Path(target))
    try:
        return LineageTarget(folder, Versions(settings))
    except TrackingError as error:
        return LineageTarget(folder, None, str(error))


def _folder(path: Path) -> Path:
    """The bundle's folder: this one, that of this file, or `bundle` in a run's folder."""
    for folder in (path, path / BUNDLE, path.parent if path.is_file() else path):
        if exists(folder / BundleReport.file_name):
            return folder
    raise ParamsError(
        f"{path} is not a bundle: expected a folder with {BundleReport.file_name} in it, a run's folder, "
        "models:/NAME@ALIAS or models:/NAME/VERSION"
    )


def _chain(target: LineageTarget) -> Chain:
    bundle = open_bundle(target.folder).report
    sha256 = sha256_file(target.folder / BundleReport.file_name)
    missing: list[str] = []
    releases = _releases(target, sha256, missing)
    lineage = _lineage(target, releases, missing)
    conversion = _conversion(target.folder, missing)
    run = _run(target, releases, lineage, missing)
    here = _sha256(target.folder / LINEAGE)
    return Chain(
        bundle=bundle,
        bundle_sha256=sha256,
        lineage=lineage,
        conversion=conversion,
        run=run,
        releases=tuple(_release(version, here or version.lineage_sha256) for version in releases),
        missing=tuple(missing),
    )


def _releases(target: LineageTarget, sha256: Sha256, missing: list[str]) -> list[Version]:
    if target.versions is None:
        missing.append(f"releases: {target.problem}")
        return []
    try:
        found = target.versions.of_bundle(sha256)
    except TrackingError as error:
        missing.append(f"releases: {error}")
        return []
    if not found:
        missing.append(f"releases: no version at {target.versions.where} holds this bundle")
    return found


def _lineage(target: LineageTarget, releases: list[Version], missing: list[str]) -> Lineage | None:
    """Read it from the bundle folder, else from the registry."""
    lineage = Lineage.of_bundle(target.folder) if (target.folder / LINEAGE).exists() else None
    if lineage is None and target.versions:
        found = (target.versions.lineage(one) for one in releases)
        lineage = next((one for one in found if one), None)
        if lineage:
            lineage.check(target.folder)
    if lineage is None:
        missing.append(f"data, frames, features, training: there is no {LINEAGE} beside the bundle")
        return None
    steps = ("dataset", "frames", "features", "training")
    missing += [f"{step}: its params, code and libraries" for step in steps if not lineage.step(step)]
    if not lineage.features:
        missing.append("features: the list of shards")
    return lineage


def _conversion(folder: Path, missing: list[str]) -> Provenance | None:
    if not (folder / PROVENANCE).is_file():
        missing.append(f"conversion: its params, code and libraries (there is no {PROVENANCE})")
        return None
    return Provenance.read(folder / PROVENANCE)


def _run(
    target: LineageTarget, releases: list[Version], lineage: Lineage | None, missing: list[str]
) -> TracedRun | None:
    """The run that a version belongs to; else one that recorded the same training."""
    found: TrainingRun | None = None
    training = lineage.step("training") if lineage else None
    if target.versions:
        run_ids = [version.run_id for version in releases if version.run_id]
        found = target.versions.training_run(run_ids[0]) if run_ids else None
        if found is None and training:
            found = target.versions.run_that_trained(training.key)
    if found is None:
        missing.append("training run: not found in MLflow")
        return None
    return TracedRun(
        run_id=found.run_id,
        name=found.name,
        link=found.link,
        status=found.status,
        started_at=found.started.isoformat(timespec="seconds"),
        commit=found.commit,
    )


def _release(version: Version, lineage_sha256: str) -> Release:
    return Release(
        version=version.name,
        aliases=version.aliases,
        released_by=version.user,
        released_at=version.created.isoformat(timespec="seconds"),
        same_lineage=version.lineage_sha256 == lineage_sha256,
    )


def _sha256(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
