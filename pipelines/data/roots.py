"""What still needs shards: versions in the model registry, and outputs of steps on this machine."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.outputs import finished
from reelflow.contracts import FeaturesReport, FramesReport, Sha256
from reelflow.errors import BundleError, ParamsError
from reelflow.lineage import LINEAGE, Lineage
from reelflow.stores.versions import Version, Versions

READERS = 8


@dataclass(frozen=True)
class Root:
    """Something that needs shards, named as a person knows it."""

    name: str
    shards: frozenset[Sha256]


def registered(versions: Versions) -> list[Root]:
    """Every version of every model, with or without an alias.

    Raises:
        BundleError: what a version was made from is not known.
        ParamsError: there is no version at all.
        TrackingError: the registry is not reachable.
    """
    found = list(versions.all())
    if not found:
        raise ParamsError(
            f"no model is registered at {versions.where}, so that none would protect its shards: "
            "set MLFLOW_TRACKING_URI, or say --without-models"
        )
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda version: _root(version, versions.lineage(version)), found))


def outputs(folders: Iterable[Path]) -> Iterator[Root]:
    """Every finished step of frames or features below the folders, and every bundle with its lineage.

    Raises:
        BundleError: a report is damaged.
    """
    folders = list(folders)
    for folder, frames in finished(folders, FramesReport):
        yield Root(str(folder), frozenset(shard.sha256 for shard in frames.shards))
    for folder, features in finished(folders, FeaturesReport):
        yield Root(str(folder), frozenset(shard.sha256 for shard in features.shards))
    for path in sorted(path for folder in folders for path in folder.rglob(LINEAGE)):
        yield Root(str(path.parent), Lineage.of_bundle(path.parent).shards)


def _root(version: Version, lineage: Lineage | None) -> Root:
    if lineage is None:
        raise BundleError(
            f"{version.name} was registered without its lineage, so that nobody knows which shards it needs: "
            "nothing is removed while it is there; register its bundle again, or delete the version"
        )
    return Root(f"model {version.name}", lineage.shards)
