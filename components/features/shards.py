"""Shards of codes. A shard is complete when its note exists, which is written after it.

Each view of a shard of frames is a separate file, shared with other runs and machines by a hash of its
inputs: another view costs only that view.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import Field

from components.features.codes import write_codes
from reelflow.backbones.interface import Codes
from reelflow.backbones.registry import libraries_of, module_of
from reelflow.contracts import BackboneSpec, FeatureShard, FrameShard, Sha256
from reelflow.documents import Document
from reelflow.errors import BundleError
from reelflow.files import sha256_file, sha256_text, write_text
from reelflow.objectstore.shards import SharedShards
from reelflow.provenance.code import content_code

LIBRARIES = ("numpy", "pillow", "simplejpeg")


class FeatureShardInputs(Document):
    """Everything that a shard of codes depends on."""

    source: FrameShard
    backbone: BackboneSpec
    view: str
    code: Sha256
    kernels: str = Field(default="", description="of this machine, as `kernels_of` tells them apart")

    @property
    def file(self) -> str:
        """Name of the shard of codes."""
        return f"{Path(self.source.file).stem}.{self.view}.npy"

    @property
    def note(self) -> str:
        """Name of its note."""
        return Path(self.file).with_suffix(".json").name

    @property
    def key(self) -> Sha256:
        """Key in the shared store."""
        return sha256_text(self.to_json())


class ShardNote(Document):
    """`<shard>.json`: a finished shard and its inputs."""

    origin: FeatureShardInputs
    shard: FeatureShard


def inputs_of(source: FrameShard, backbone: BackboneSpec, view: str, kernels: str) -> FeatureShardInputs:
    """The inputs of a view's codes."""
    code = made_by(backbone.name)
    return FeatureShardInputs(source=source, backbone=backbone, view=view, code=code, kernels=kernels)


def finished_shard(folder: Path, origin: FeatureShardInputs) -> FeatureShard | None:
    """The shard of an earlier attempt, if it is complete and has the same inputs."""
    shard = _noted(folder / origin.note, origin)
    try:
        return shard if shard and sha256_file(folder / shard.file) == shard.sha256 else None
    except FileNotFoundError:
        return None


def fetch_shard(folder: Path, origin: FeatureShardInputs, shared: SharedShards) -> FeatureShard | None:
    """Fetch a shard that another run or machine has computed, if there is one.

    Raises:
        StorageError: the store or the disk refuses, or the shard has been altered.
    """
    if shared.fetch(origin.key, folder, (origin.file, origin.note)):
        return finished_shard(folder, origin)
    return None


def stored_shard(folder: Path, origin: FeatureShardInputs, shared: SharedShards) -> FeatureShard | None:
    """A shard that the store has; only its note is fetched.

    Raises:
        StorageError: the store or the disk refuses.
    """
    files = shared.find(origin.key, (origin.file, origin.note))
    if files is None or not shared.bring(folder / origin.note, files[origin.note]):
        return None
    shard = _noted(folder / origin.note, origin)
    (folder / origin.note).unlink()
    return shard if shard and shard.sha256 == files[origin.file] else None


def move_shard(folder: Path, origin: FeatureShardInputs, shared: SharedShards) -> None:
    """Move a finished shard to the store.

    Raises:
        StorageError: the store refuses, is full or not reachable.
    """
    share_shard(folder, origin, shared)
    for name in (origin.file, origin.note):
        (folder / name).unlink()


def write_shards(
    folder: Path, origins: Sequence[FeatureShardInputs], codes: Iterable[Codes], frames: int
) -> list[FeatureShard]:
    """Write views of one shard of frames, each with its note after it.

    Args:
        folder: to write to.
        origins: the views.
        codes: of each clip, in order, `(views, frames, dim)`.
        frames: of each clip.

    Raises:
        StorageError: the disk is full or read-only.
    """
    spec, clip_ids = origins[0].backbone, origins[0].source.clip_ids
    paths = [folder / origin.file for origin in origins]
    write_codes(paths, codes, (len(clip_ids), frames, spec.dim), spec.dtype)
    return [_note_shard(folder, origin) for origin in origins]


def _note_shard(folder: Path, origin: FeatureShardInputs) -> FeatureShard:
    """Write the note of a complete file of codes."""
    shard = FeatureShard(
        file=origin.file,
        view=origin.view,
        sha256=sha256_file(folder / origin.file),
        clip_ids=origin.source.clip_ids,
    )
    write_text(folder / origin.note, ShardNote(origin=origin, shard=shard).to_json())
    return shard


def share_shard(folder: Path, origin: FeatureShardInputs, shared: SharedShards) -> None:
    """Publish a finished shard for other runs and machines.

    Raises:
        StorageError: the store refuses, is full or not reachable.
    """
    shared.publish(origin.key, folder, (origin.file, origin.note))


def _noted(path: Path, origin: FeatureShardInputs) -> FeatureShard | None:
    """The shard of a note, if it has this origin."""
    try:
        note = ShardNote.read(path)
    except BundleError:
        return None
    return note.shard if note.origin == origin and note.shard.file == origin.file else None


def made_by(backbone: str) -> Sha256:
    """Hash of the code and the libraries that a backbone's codes depend on."""
    libraries = (*LIBRARIES, *libraries_of(backbone))
    return content_code("components.features.codes", module_of(backbone), libraries=libraries)
