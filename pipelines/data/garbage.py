"""Mark and sweep: removes shards that nothing needs.

The listing of a shard is removed before its files: an interrupted sweep never leaves a listing without
its files. A file is kept as long as a kept listing names it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipelines.data.catalog import FACTS, Catalog, Shard, read_catalog
from pipelines.data.roots import Root
from reelflow.objectstore.interface import ObjectStore, Stored
from reelflow.progress import track

DAY_S = 24 * 3600
SMALL = "facts of clips are small, and slow to compute again"


@dataclass(frozen=True)
class CollectionPlan:
    """The objects to remove, and the reason for each kept one.

    Attributes:
        catalog: of the store.
        shards: to be removed.
        files: to be removed after them.
        kept: the reason for each kept shard, by its name.
        spared: kept files without a listing: a writer may still be active.
    """

    catalog: Catalog
    shards: tuple[Shard, ...]
    files: tuple[Stored, ...]
    kept: Mapping[str, str]
    spared: tuple[Stored, ...]

    @property
    def names(self) -> list[str]:
        """What is removed, in order: listings first."""
        return [*(shard.name for shard in self.shards), *(stored.name for stored in self.files)]


def plan_collection(
    catalog: Catalog, roots: Iterable[Root], older_than_days: float, now: float
) -> CollectionPlan:
    """Mark what is needed.

    Args:
        catalog: of the store.
        roots: what needs shards.
        older_than_days: younger objects are kept: a run in progress may need them.
        now: seconds since the epoch.
    """
    limit = now - older_than_days * DAY_S
    needed = {sha256: root.name for root in reversed(list(roots)) for sha256 in root.shards}
    reasons = {
        name: _reason(shard, catalog, needed, limit, young_for(older_than_days))
        for name, shard in catalog.shards.items()
    }
    kept = {name: reason for name, reason in reasons.items() if reason}
    named = {file for name in kept for file in catalog.shards[name].objects}
    loose = [one for name, one in catalog.objects.items() if name not in named and name not in reasons]
    spared = {one.name for one in loose if one.modified >= limit or _content(one.name) in needed}
    return CollectionPlan(
        catalog=catalog,
        shards=tuple(shard for name, shard in catalog.shards.items() if name not in kept),
        files=tuple(one for one in loose if one.name not in spared),
        kept=kept,
        spared=tuple(one for one in loose if one.name in spared),
    )


def sweep(store: ObjectStore, plan: CollectionPlan) -> int:
    """Carry out the plan; returns the number of removed objects.

    A shard that was published since keeps its files.

    Raises:
        StorageError: the store refuses; run the same command again for the rest.
    """
    for shard in track(plan.shards, len(plan.shards), "listings"):
        store.delete(shard.name)
    named = {name for shard in read_catalog(store).shards.values() for name in shard.objects}
    files = [one.name for one in plan.files if one.name not in named]
    for name in track(files, len(files), "files"):
        store.delete(name)
    return len(plan.shards) + len(files)


def young_for(days: float) -> str:
    """The reason to keep what a run in progress may need."""
    return f"younger than {days:g} days"


def _reason(shard: Shard, catalog: Catalog, needed: Mapping[str, str], limit: float, young: str) -> str:
    """Why a shard is kept; empty if it is removed. Incomplete shards are useless."""
    if shard.kind == FACTS and catalog.is_whole(shard):
        return SMALL
    reasons = (needed[sha256] for sha256 in shard.files.values() if sha256 in needed)
    if catalog.is_whole(shard) and (reason := next(reasons, "")):
        return reason
    parts = (catalog.objects[name] for name in (shard.name, *shard.objects) if name in catalog.objects)
    return young if any(part.modified >= limit for part in parts) else ""


def _content(name: str) -> str:
    """The sha256 in the name of a file's object."""
    return name.rpartition("/")[2]
