"""Shards of codes. A shard is whole when its note, written after it, names its content.

Each view of a shard of frames is a file of its own. What an earlier run finished of it, in any
folder beside this one, is taken over: a further view costs that view alone.
"""

import os
from functools import cache
from pathlib import Path

from reelflow.backbones import Codes
from reelflow.contracts import BackboneSpec, Document, FeatureShard, FrameShard, Sha256
from reelflow.errors import BundleError
from reelflow.files import atomic, link_file, sha256_file, sha256_text, write_array, write_text
from reelflow.steps import hash_sources, library_versions

SOURCES = ("components/features", "reelflow/backbones", "reelflow/video", "reelflow/stores/frames.py")
"""Code that codes depend on; of the rest of the library they do not."""


class Origin(Document):
    """All that a shard's codes depend on."""

    source: FrameShard
    backbone: BackboneSpec
    view: str
    code: Sha256

    @property
    def file(self) -> str:
        """Name of the shard of codes."""
        return f"{Path(self.source.file).stem}.{self.view}.npy"


class ShardNote(Document):
    """`<shard>.json`: a finished shard, and what it was made from."""

    origin: Origin
    shard: FeatureShard


def origin_of(source: FrameShard, backbone: BackboneSpec, view: str) -> Origin:
    """What this code makes a view's codes from."""
    return Origin(source=source, backbone=backbone, view=view, code=_code())


def finished_shard(folder: Path, origin: Origin) -> FeatureShard | None:
    """What an earlier attempt finished, if it is whole and of the same origin."""
    shard = _noted(folder / _note_name(origin), origin)
    try:
        return shard if shard and sha256_file(folder / shard.file) == shard.sha256 else None
    except FileNotFoundError:
        return None


def take_over(folder: Path, origin: Origin) -> FeatureShard | None:
    """Link what a run into another folder beside this one finished, if it is whole and of the same origin.

    Raises:
        StorageError: the disk is full or read-only.
    """
    for path in sorted(folder.parent.glob(f"*/{_note_name(origin)}")):
        shard = _noted(path, origin)
        if shard and link(path.with_name(shard.file), folder / shard.file):
            _write_note(folder, origin, shard)
            if finished_shard(folder, origin):
                return shard
    return None


def write_shard(folder: Path, origin: Origin, codes: Codes) -> FeatureShard:
    """Write the codes of a shard's clips, `(clips, frames, dim)`, then its note.

    Raises:
        StorageError: the disk is full or read-only.
    """
    path = folder / origin.file
    write_array(path, codes)
    shard = FeatureShard(
        file=path.name, view=origin.view, sha256=sha256_file(path), clip_ids=origin.source.clip_ids
    )
    _write_note(folder, origin, shard)
    return shard


def link(source: Path, target: Path) -> bool:
    """Link a file, or copy it where links are not possible; False if it cannot be read, or is gone."""
    if not os.access(source, os.R_OK):
        return False
    try:
        with atomic(target) as partial:
            link_file(source, partial)
    except FileNotFoundError:
        return False
    return True


def _note_name(origin: Origin) -> str:
    return Path(origin.file).with_suffix(".json").name


def _write_note(folder: Path, origin: Origin, shard: FeatureShard) -> None:
    write_text(folder / _note_name(origin), ShardNote(origin=origin, shard=shard).to_json())


def _noted(path: Path, origin: Origin) -> FeatureShard | None:
    """The shard that a note names, if it is of this origin."""
    try:
        note = ShardNote.read(path)
    except BundleError:
        return None
    return note.shard if note.origin == origin and note.shard.file == origin.file else None


@cache
def _code() -> Sha256:
    """Hash of the code and the libraries that codes depend on."""
    libraries = [f"{name} {found}" for name, found in library_versions().items()]
    return sha256_text("\n".join([hash_sources(*SOURCES), *libraries]))
