"""Shards of codes. A shard is whole when its note, written after it, names its content."""

from pathlib import Path

import numpy as np

from reelflow.backbones import Codes
from reelflow.contracts import BackboneSpec, Document, FeatureShard, FrameShard
from reelflow.errors import BundleError
from reelflow.files import atomic, sha256_file, write_text


class ShardNote(Document):
    """`<shard>.json`: a finished shard, and what it was made from."""

    source: FrameShard
    backbone: BackboneSpec
    shard: FeatureShard


def shard_name(source: FrameShard) -> str:
    """Name of the shard of codes for a shard of frames."""
    return f"{Path(source.file).stem}.npy"


def finished_shard(folder: Path, source: FrameShard, backbone: BackboneSpec) -> FeatureShard | None:
    """What an earlier attempt finished, if it is whole and of the same frames and weights."""
    path = folder / shard_name(source)
    try:
        note = ShardNote.read(path.with_suffix(".json"))
        same = (note.source, note.backbone) == (source, backbone) and sha256_file(path) == note.shard.sha256
    except (BundleError, FileNotFoundError):
        return None
    return note.shard if same else None


def write_shard(folder: Path, source: FrameShard, backbone: BackboneSpec, codes: Codes) -> FeatureShard:
    """Write the codes of a shard's clips, `(clips, frames, dim)`, then its note.

    Raises:
        StorageError: the disk is full or read-only.
    """
    path = folder / shard_name(source)
    with atomic(path) as partial, partial.open("wb") as file:
        np.save(file, codes, allow_pickle=False)
    shard = FeatureShard(file=path.name, sha256=sha256_file(path), clip_ids=source.clip_ids)
    note = ShardNote(source=source, backbone=backbone, shard=shard)
    write_text(path.with_suffix(".json"), note.to_json())
    return shard
