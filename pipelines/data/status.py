"""Counts the shards that params need: complete ones here and in the shared store."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.features.shards import ShardNote, made_by
from components.frames.shards import assign_shards, inputs_of
from pipelines.data.catalog import FEATURES, FRAMES, Catalog, Shard, read_catalog, read_notes
from pipelines.data.outputs import find_dataset, finished, kept_bytes
from reelflow.artifacts.clips import read_clips
from reelflow.contracts import BackboneSpec, DatasetReport, FeaturesReport, FrameShard, FramesReport, Sha256
from reelflow.documents import Document
from reelflow.objectstore.interface import ObjectStore
from reelflow.params import Params
from reelflow.provenance.step import PROVENANCE, Provenance


class Held(Document):
    """Complete shards in one place."""

    shards: int = 0
    size_bytes: int = 0


class Cache(Document):
    """Shards of one kind that a run of the params needs."""

    name: str
    """`frames`, or `features@<backbone>`."""
    wanted: int | None
    """None before the dataset step has run."""
    here: Held
    """In outputs of steps on this machine."""
    store: Held | None
    """None without a store."""


class Totals(Document):
    """Everything in a store, for any params."""

    shards: int
    files: int
    size_bytes: int
    torn: int
    """Listings with a missing file: they count as absent."""
    orphans: Held
    """Files without a listing: of killed or active writers."""


class Status(Document):
    """`data status --json`."""

    where: str
    """The store; `none` if there is no store."""
    caches: tuple[Cache, ...]
    totals: Totals | None


@dataclass(frozen=True)
class Need:
    """The inputs of a run with these params.

    Attributes:
        params: of the run.
        data_hash: of its clips.
        keys: of the shards of frames, by file name.
    """

    params: Params
    data_hash: Sha256
    keys: dict[str, Sha256]


def read_status(params: Params, folders: Sequence[Path], where: str, store: ObjectStore | None) -> Status:
    """Read the status.

    Args:
        params: which shards are needed.
        folders: outputs of steps.
        where: name of the store.
        store: the shared store.

    Raises:
        StorageError: the store refuses or is not reachable.
    """
    need = _need(params, folders)
    catalog = read_catalog(store) if store else None
    notes = list(read_notes(store, catalog)) if store and catalog else []
    return Status(
        where=where,
        caches=tuple(_caches(params, folders, need, catalog, notes)),
        totals=_totals(catalog) if catalog else None,
    )


def _need(params: Params, folders: Sequence[Path]) -> Need | None:
    dataset = find_dataset(params.dataset, folders)
    if dataset is None:
        return None
    shards = assign_shards(read_clips(dataset), params.frames.shards)
    keys = {file: inputs_of(file, clips, params.frames).key for file, clips in shards.items()}
    return Need(params, DatasetReport.open(dataset).data_hash, keys)


def _caches(
    params: Params,
    folders: Sequence[Path],
    need: Need | None,
    catalog: Catalog | None,
    notes: Sequence[tuple[Shard, ShardNote]],
) -> Iterable[Cache]:
    """Frames, then the features of each backbone and of each of its weights."""
    names = [f"{FEATURES}@{name}" for name in params.features.backbones]
    if need is None:
        empty = Held() if catalog else None
        yield from (Cache(name=name, wanted=None, here=Held(), store=empty) for name in (FRAMES, *names))
        return
    here = _frames_here(need, folders)
    shared = _frames_in_store(need, catalog) if catalog else {}
    size = sum(catalog.size_bytes(shard) for shard in shared.values()) if catalog else 0
    yield Cache(
        name=FRAMES,
        wanted=len(need.keys),
        here=_held(here),
        store=Held(shards=len(shared), size_bytes=size) if catalog else None,
    )
    tars = set(here) | {shard.files.get(file, "") for file, shard in shared.items()}
    for name in params.features.backbones:
        yield from _features(
            name, need, folders, catalog, [one for one in notes if _fits(one[1], need, tars)]
        )


def _features(
    name: str,
    need: Need,
    folders: Sequence[Path],
    catalog: Catalog | None,
    notes: Sequence[tuple[Shard, ShardNote]],
) -> Iterable[Cache]:
    here = _features_here(name, need, folders)
    mine = [(shard, note.origin.backbone) for shard, note in notes if note.origin.backbone.name == name]
    weights = sorted({*here, *(_weights(spec) for _, spec in mine)}) or [""]
    for one in weights:
        shards = [shard for shard, spec in mine if _weights(spec) == one]
        size = sum(catalog.size_bytes(shard) for shard in shards) if catalog else 0
        yield Cache(
            name=f"{FEATURES}@{name}" + (f" ({one[:8]})" if len(weights) > 1 else ""),
            wanted=len(need.keys) * len(need.params.features.views_of(name)),
            here=_held(here.get(one, {})),
            store=Held(shards=len(shards), size_bytes=size) if catalog else None,
        )


def _frames_here(need: Need, folders: Sequence[Path]) -> dict[Sha256, int]:
    kept: dict[Sha256, int] = {}
    for folder, report in finished(folders, FramesReport):
        made = Provenance.read(folder / PROVENANCE)
        if report.data_hash == need.data_hash and made.params == need.params.frames.of_one_task():
            kept |= kept_bytes(folder, _named(report.shards, need))
    return kept


def _named(shards: Iterable[FrameShard], need: Need) -> list[FrameShard]:
    return [shard for shard in shards if shard.file in need.keys]


def _features_here(name: str, need: Need, folders: Sequence[Path]) -> dict[str, dict[Sha256, int]]:
    """Bytes by sha256, by weights."""
    kept: dict[str, dict[Sha256, int]] = {}
    for folder, report in finished(folders, FeaturesReport):
        if report.data_hash == need.data_hash and report.backbone.name == name:
            views = [shard for shard in report.shards if shard.view in need.params.features.views_of(name)]
            kept.setdefault(_weights(report.backbone), {}).update(kept_bytes(folder, views))
    return kept


def _frames_in_store(need: Need, catalog: Catalog) -> dict[str, Shard]:
    """Complete shards, by file name."""
    found = {file: catalog.shards.get(f"{FRAMES}/{key}.json") for file, key in need.keys.items()}
    return {file: shard for file, shard in found.items() if shard and catalog.is_whole(shard)}


def _fits(note: ShardNote, need: Need, tars: set[str]) -> bool:
    """Whether a run with these params would use these codes, the weights aside."""
    origin = note.origin
    views = need.params.features.views_of(origin.backbone.name)
    fits = origin.source.sha256 in tars and origin.view in views
    return fits and origin.code == made_by(origin.backbone.name)


def _weights(spec: BackboneSpec) -> str:
    return spec.weights_sha256 or ""


def _held(kept: dict[Sha256, int]) -> Held:
    return Held(shards=len(kept), size_bytes=sum(kept.values()))


def _totals(catalog: Catalog) -> Totals:
    orphans = catalog.orphans()
    whole = sum(map(catalog.is_whole, catalog.shards.values()))
    return Totals(
        shards=whole,
        files=len(catalog.objects) - len(catalog.shards),
        size_bytes=sum(stored.size_bytes for stored in catalog.objects.values()),
        torn=len(catalog.shards) - whole,
        orphans=Held(shards=len(orphans), size_bytes=sum(one.size_bytes for one in orphans)),
    )
