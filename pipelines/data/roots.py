"""Roots of the garbage collection: registered versions, and outputs of steps on this machine."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipelines.data.outputs import finished
from reelflow.artifacts.lineage import LINEAGE, Lineage
from reelflow.contracts import DatasetReport, FeaturesReport, FramesReport, Sha256
from reelflow.errors import BundleError, ParamsError
from reelflow.files import files_below
from reelflow.sources.cache import SourceNote
from reelflow.tracking.versions import Version, Versions

READERS = 8


@dataclass(frozen=True)
class Root:
    """Something that needs shards or clips.

    Attributes:
        name: a version or a folder, for display.
        shards: by sha256.
        clips: keys of sources in the clips cache.
    """

    name: str
    shards: frozenset[Sha256] = frozenset()
    clips: frozenset[str] = frozenset()


def registered(versions: Versions) -> list[Root]:
    """Every version of every model, with or without an alias.

    Raises:
        BundleError: the lineage of a version is unknown.
        ParamsError: no version is registered.
        TrackingError: the registry is not reachable.
    """
    found = list(versions.all())
    if not found:
        raise ParamsError(
            f"no model is registered at {versions.where}, so no shards would be protected: "
            "set MLFLOW_TRACKING_URI, or pass --without-models"
        )
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda version: _root(version, versions.lineage(version)), found))


def outputs(folders: Iterable[Path]) -> Iterator[Root]:
    """Every finished step below the folders that needs any, and every bundle with its lineage.

    Raises:
        BundleError: a report is damaged.
    """
    folders = list(folders)
    for folder, dataset in finished(folders, DatasetReport):
        yield Root(str(folder), clips=_clips(dataset))
    for folder, frames in finished(folders, FramesReport):
        files = ((shard.sha256, shard.index_sha256) for shard in frames.shards)
        yield Root(str(folder), frozenset(chain.from_iterable(files)))
    for folder, features in finished(folders, FeaturesReport):
        yield Root(str(folder), frozenset(shard.sha256 for shard in features.shards))
    for path in (path for folder in folders for path in files_below(folder) if path.name == LINEAGE):
        lineage = Lineage.of_bundle(path.parent)
        yield Root(str(path.parent), lineage.shards, _clips(lineage.dataset))


def _root(version: Version, lineage: Lineage | None) -> Root:
    if lineage is None:
        raise BundleError(
            f"{version.name} was registered without its lineage, so its shards are unknown: "
            "register its bundle again, or delete the version"
        )
    return Root(f"model {version.name}", lineage.shards, _clips(lineage.dataset))


def _clips(report: DatasetReport) -> frozenset[str]:
    return frozenset([SourceNote.on(report).key])
